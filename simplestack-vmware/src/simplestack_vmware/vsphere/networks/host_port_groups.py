"""Port groups of standard switches: on all hosts or on none."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Self

from msgspec import Struct, field

from simplestack import HypervisorTimeout, SimplestackError
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.limits import undoing
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.names import decoded, encoded
from simplestack_vmware.vsphere.inventory.records import HostName
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.sessions.session import VmwareSession


class GroupSpec(Struct, frozen=True):
    """What a port group is."""

    stored_name: str = field(name="name", default="")
    vlan: int = field(name="vlanId", default=0)
    switch: str = field(name="vswitchName", default="")

    @property
    def name(self) -> str:
        """The name as people write it."""
        return decoded(self.stored_name)


class _HostPortGroup(Struct, frozen=True):
    spec: GroupSpec = GroupSpec()


class HostNetworks(HostName, frozen=True, kw_only=True):
    """A host with its standard port groups."""

    parent: Ref | None = None
    connection_state: str = field(name="runtime.connectionState", default="connected")
    port_groups: list[_HostPortGroup] = field(name="config.network.portgroup", default_factory=list)
    network_system: Ref | None = field(name="configManager.networkSystem", default=None)

    @property
    def groups(self) -> list[GroupSpec]:
        """What its port groups are."""
        return [each.spec for each in self.port_groups]


class Wanted(NamedTuple):
    """A port group that a host gets."""

    host: HostNetworks
    group: GroupSpec


class NewPortGroups:
    """The port groups that an operation makes. If its block fails, they are removed.

    Those that may be somebody else's stay: one that was changed meanwhile; and one that is there after a call
    without a response, since another client may have made it at the same time. The error names them.
    """

    def __init__(self, session: VmwareSession) -> None:
        self._session = session
        self._made: list[Wanted] = []
        self._tried: Wanted | None = None

    def add(self, wanted: Wanted) -> None:
        """Make a port group.

        :raises Fault: the host rejects it
        """
        group = wanted.group
        spec = vim.host.PortGroup.Specification(
            name=group.stored_name,
            vlanId=group.vlan,
            vswitchName=group.switch,
            policy=vim.host.NetworkPolicy(),
        )
        self._tried = wanted
        self._system(wanted).AddPortGroup(spec)
        self._tried = None
        self._made.append(wanted)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if error is None:
            return
        with undoing():
            remains = list(self._undo(error))
        if isinstance(error, Fault | SimplestackError):
            error.message = "; ".join([error.message, *remains])

    def _undo(self, error: BaseException) -> Iterator[str]:
        """Remove what was made, and yield sentences about what stays."""
        tried = self._tried
        is_theirs = isinstance(error, Fault) and error.is_a("AlreadyExists")
        every = [*self._made, *([] if tried is None or is_theirs else [tried])]
        try:
            now = {each.ref: each.groups for each in self._read(each.host.ref for each in every)}
        except (Fault, SimplestackError) as failure:
            for wanted in every:
                yield _stays(wanted, failure.message)
            return
        for wanted in reversed(every):
            group = next((each for each in now.get(wanted.host.ref, ()) if _is_named(each, wanted)), None)
            if wanted is not tried:
                yield from self._remove(wanted, group)
            elif group == wanted.group:
                yield (
                    f"host {wanted.host.name!r} has port group {wanted.group.name!r}, made by this request "
                    "or by somebody else: remove it if nobody needs it"
                )
            elif group is None and type(error) is HypervisorTimeout:  # without `OperationTimeout`: not called
                yield f"host {wanted.host.name!r} may still get port group {wanted.group.name!r}"

    def _read(self, hosts: Iterable[Ref]) -> list[HostNetworks]:
        starts = list(hosts)
        if not starts:
            return []
        records = self._session.reader.read(Query(starts, [HostNetworks]))
        return [each for each in records if isinstance(each, HostNetworks)]

    def _remove(self, wanted: Wanted, group: GroupSpec | None) -> Iterator[str]:
        if group is None:
            return
        if group != wanted.group:
            yield _stays(wanted, "others have changed it")
            return
        try:
            self._system(wanted).RemovePortGroup(wanted.group.stored_name)
        except (Fault, SimplestackError) as failure:
            yield _stays(wanted, failure.message)

    def _system(self, wanted: Wanted) -> "vim.host.NetworkSystem":
        system: vim.host.NetworkSystem = self._session.api.object(
            wanted.host.network_system or wanted.host.ref
        )
        return system


def _is_named(group: GroupSpec, wanted: Wanted) -> bool:
    return encoded(group.name) == wanted.group.stored_name


def _stays(wanted: Wanted, reason: str) -> str:
    return f"port group {wanted.group.name!r} stays on host {wanted.host.name!r}: {reason}"
