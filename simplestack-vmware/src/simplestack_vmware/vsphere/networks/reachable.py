"""The networks that a guest can be connected to: those of its host."""

from collections.abc import Iterable
from typing import ClassVar

from msgspec import field

from simplestack import Conflict, EntityNotFound
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.records import NETWORKS, NetworkRecord, PortGroupRecord
from simplestack_vmware.vsphere.inventory.walks import TO_NETWORKS
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.reading.schemas import Record
from simplestack_vmware.vsphere.sessions.lookups import (
    find_network,
    networks_for_guests,
    only,
    port_group_fields,
)
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_TO_SWITCHES = Walk("DistributedVirtualPortgroup", "config.distributedVirtualSwitch")
#: From a guest to the networks of its host, and to their distributed switches.
TO_ITS_HOSTS_NETWORKS = (
    Walk("VirtualMachine", "runtime.host", ("HostSystem",)),
    Walk("HostSystem", "network", ("DistributedVirtualPortgroup",)),
    _TO_SWITCHES,
)
_TO_NETWORKS_AND_SWITCHES = (
    *(walk for walk in TO_NETWORKS if walk.type != "Datacenter"),
    Walk("Datacenter", "network", ("DistributedVirtualPortgroup",)),
    _TO_SWITCHES,
)


class SwitchRecord(Record, frozen=True, kw_only=True):
    """A distributed switch."""

    TYPE: ClassVar[str] = "DistributedVirtualSwitch"

    uuid: str = ""
    #: Whether Network I/O Control is on, which enforces rate limits.
    enforces_rates: bool = field(name="config.networkResourceManagementEnabled", default=True)


#: What is read on these ways.
NETWORK_KINDS: tuple[type[Record], ...] = (*NETWORKS, SwitchRecord)


class HostNetworks:
    """The networks of a guest's host, as they were read with the guest."""

    def __init__(self, session: VmwareSession, records: Iterable[Record]) -> None:
        """Keep what was read.

        :param records: those of `NETWORK_KINDS`
        """
        records = list(records)
        self._session = session
        self._networks = networks_for_guests(records)
        self._switches = [record for record in records if isinstance(record, SwitchRecord)]

    @property
    def switch_uuids(self) -> dict[Ref, str]:
        """The UUIDs of the distributed switches."""
        return {switch.ref: switch.uuid for switch in self._switches}

    def find(self, id_or_name: str) -> NetworkRecord:
        """Find a network. If the user may not read the host, any network that the user may read.

        :raises EntityNotFound: ``Network``
        :raises Conflict: the host has several of this name, or others have it alone
        """
        if not self._networks:
            self._read_all()
        try:
            return only(self._networks, id_or_name, "Network")
        except EntityNotFound:
            other = find_network(self._session, id_or_name)
            raise Conflict(
                f"the guest's host does not have network {other.name!r}: choose a network of the host, or "
                "move the guest in vSphere"
            ) from None

    def _read_all(self) -> None:
        fields: dict[type[Record], frozenset[str]] = {PortGroupRecord: port_group_fields(self._session)}
        records = self._session.reader.read(
            Query([self._session.root], NETWORK_KINDS, _TO_NETWORKS_AND_SWITCHES, fields)
        )
        self._networks = networks_for_guests(records)
        self._switches = [record for record in records if isinstance(record, SwitchRecord)]

    def switch_uuid(self, network: NetworkRecord) -> str | None:
        """Return the UUID of a network's distributed switch, None for a standard port group."""
        return (
            self.switch_uuids.get(network.switch)
            if isinstance(network, PortGroupRecord) and network.switch
            else None
        )

    def enforces_rates(self, switch_uuid: str | None) -> bool:
        """Return whether a switch enforces the rate limits of interfaces.

        :param switch_uuid: None for a switch that is not a distributed one
        """
        if switch_uuid is None:
            return False
        return all(switch.enforces_rates for switch in self._switches if switch.uuid == switch_uuid)
