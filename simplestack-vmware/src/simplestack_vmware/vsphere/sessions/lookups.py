"""Look up objects: guests by UUID or name; hosts, datastores and networks by managed object ID or name."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from simplestack import (
    Conflict,
    EntityNotFound,
    GuestState,
    InvalidState,
    is_uuid,
    require_one,
    require_state,
)
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.connection.versions import is_at_least
from simplestack_vmware.vsphere.inventory.records import (
    NETWORKS,
    ClusterName,
    DatastoreRecord,
    HostRecord,
    Named,
    NetworkRecord,
    PortGroupRecord,
    VmIdentity,
    VmState,
)
from simplestack_vmware.vsphere.inventory.walks import TO_DATASTORES, TO_HOSTS, TO_NETWORKS, TO_VMS
from simplestack_vmware.vsphere.reading.queries import Query, Walk
from simplestack_vmware.vsphere.reading.schemas import Record, schema_of
from simplestack_vmware.vsphere.sessions.session import VmwareSession

N = TypeVar("N", bound=Named)
V = TypeVar("V", bound=VmIdentity)

#: The version of the API with which `PortGroupRecord.has_uplinks` came.
_UPLINK_SINCE = "6.5"


def find_guest(session: VmwareSession, guest_id: str, kind: type[V]) -> V:
    """Find a guest or a template: one round trip, two if it was not looked up before.

    :param guest_id: its instance UUID; or its BIOS UUID or its name, as first-generation clients have them
    :param kind: the record with what the operation needs
    :raises EntityNotFound: ``Guest``
    :raises Conflict: several guests have this BIOS UUID or name
    """
    return find_guest_with(session, guest_id, kind)[0]


def find_guest_with(
    session: VmwareSession,
    guest_id: str,
    kind: type[V],
    walks: Iterable[Walk] = (),
    kinds: Iterable[type[Record]] = (),
) -> tuple[V, list[Record]]:
    """Find a guest as `find_guest`, and read objects that it refers to in the same round trip.

    :param walks: from the guest to the further objects
    :param kinds: records of these
    """
    canonical = guest_id.lower()
    known = session.known_vms.get(canonical)
    if known is not None:
        found = _read(session, known, kind, walks, kinds)
        if found is not None and found[0].id == canonical:
            return found
        session.known_vms.forget(canonical)
    found = _read(session, _locate(session, guest_id), kind, walks, kinds)
    if found is None:  # it has just been removed
        raise EntityNotFound("Guest", guest_id)
    if found[0].id == canonical:
        session.known_vms.remember(canonical, found[0].ref)
    return found


def require_guest_state(vm: VmState, attempt: str, *needed: GuestState) -> None:
    """Check that a guest is in one of the states that an operation needs.

    :param attempt: what was tried with it, such as ``start``
    :raises InvalidState: the guest is in another state, or is a template
    :raises Conflict: vSphere has lost the guest's files
    """
    require_not_template(vm, attempt)
    require_state(vm.state, *needed, attempt=f"{attempt} guest {vm.name!r}")


def require_not_template(vm: VmState, attempt: str) -> None:
    """Check that a VM can be changed, in any power state.

    :param attempt: what was tried with it, such as ``add a disk to``
    :raises InvalidState: the VM is a template
    :raises Conflict: vSphere has lost the guest's files
    """
    attempt = f"{attempt} guest {vm.name!r}"
    require_changeable(vm, attempt)
    if vm.is_template:
        raise InvalidState.of_template(attempt)


def require_changeable(vm: VmState, attempt: str) -> None:
    """Check that vSphere has a VM's configuration.

    :raises Conflict: the VM is orphaned or inaccessible
    """
    if vm.is_template is None or vm.connection_state in ("orphaned", "inaccessible", "invalid"):
        raise Conflict(
            f"cannot {attempt}: vSphere cannot read its configuration (it is {vm.connection_state}): "
            "repair or remove it in vSphere"
        )


def all_hosts(session: VmwareSession) -> list[HostRecord]:
    """Return the hosts of the inventory, or of the cluster that the settings name: one round trip.

    :raises EntityNotFound: ``Cluster``
    :raises Conflict: several clusters have the name
    """
    return hosts_and_cluster(session)[0]


def hosts_and_cluster(session: VmwareSession) -> tuple[list[HostRecord], ClusterName | None]:
    """Return the hosts as `all_hosts`, and the cluster that the settings name, if any."""
    records = session.reader.read(Query([session.root], [HostRecord, ClusterName], TO_HOSTS))
    hosts = [record for record in records if isinstance(record, HostRecord)]
    if session.settings.cluster is None:
        return hosts, None
    clusters = [record for record in records if isinstance(record, ClusterName)]
    cluster = only(clusters, session.settings.cluster, "Cluster")
    return [host for host in hosts if host.parent == cluster.ref], cluster


def find_host(session: VmwareSession, id_or_name: str) -> HostRecord:
    """Find a host.

    :raises EntityNotFound: ``Host``
    :raises Conflict: several have this name
    """
    return only(all_hosts(session), id_or_name, "Host")


def all_datastores(session: VmwareSession) -> list[DatastoreRecord]:
    """Return all datastores, also those that are not accessible: one round trip."""
    records = session.reader.read(Query([session.root], [DatastoreRecord], TO_DATASTORES))
    return [record for record in records if isinstance(record, DatastoreRecord)]


def find_datastore(session: VmwareSession, id_or_name: str) -> DatastoreRecord:
    """Find a datastore.

    :raises EntityNotFound: ``Storage``
    :raises Conflict: several have this name
    """
    return only(all_datastores(session), id_or_name, "Storage")


def all_networks(session: VmwareSession) -> list[NetworkRecord]:
    """Return the networks that guests can connect to, without uplinks of distributed switches."""
    query = Query([session.root], NETWORKS, TO_NETWORKS, {PortGroupRecord: port_group_fields(session)})
    return networks_for_guests(session.reader.read(query))


def port_group_fields(session: VmwareSession) -> frozenset[str]:
    """Return the fields of `PortGroupRecord` that the host's version has."""
    fields = frozenset(each.name for each in schema_of(PortGroupRecord).properties.values())
    if not is_at_least(session.api.stub.version, _UPLINK_SINCE):
        fields -= {"has_uplinks"}
    return fields


def networks_for_guests(records: Iterable[Record]) -> list[NetworkRecord]:
    """Return the networks among records, without uplinks of distributed switches."""
    return [
        record
        for record in records
        if isinstance(record, NetworkRecord)
        and not (isinstance(record, PortGroupRecord) and record.is_uplink)
    ]


def find_network(session: VmwareSession, id_or_name: str) -> NetworkRecord:
    """Find a network.

    :raises EntityNotFound: ``Network``
    :raises Conflict: several have this name, such as port groups of two switches
    """
    return only(all_networks(session), id_or_name, "Network")


def only(records: Sequence[N], id_or_name: str, entity: str) -> N:
    """Return the record with an ID, or the only one with a name.

    :raises EntityNotFound: `entity`: there is none
    :raises Conflict: there are several
    """
    for record in records:
        if record.id == id_or_name:
            return record
    return _single([record for record in records if record.name == id_or_name], "name", id_or_name, entity)


def _single(found: Sequence[N], what: str, value: str, entity: str) -> N:
    if len(found) > 1 and len({record.id for record in found}) == 1:  # cloned on another host, with its ID
        moids = ", ".join(sorted(record.ref.value for record in found))
        raise Conflict(f"the {what} {value!r} is that of several VMs, {moids}: change it in vSphere")
    return require_one(found, entity, value, id_of=lambda record: record.id, what=what)


def _read(
    session: VmwareSession,
    ref: Ref,
    kind: type[V],
    walks: Iterable[Walk],
    kinds: Iterable[type[Record]],
) -> tuple[V, list[Record]] | None:
    try:
        fields: dict[type[Record], frozenset[str]] = {PortGroupRecord: port_group_fields(session)}
        records = session.reader.read(Query([ref], [kind, *kinds], walks, fields))
    except Fault as fault:
        if not fault.is_a("ManagedObjectNotFound"):
            raise
        return None
    vm = next((record for record in records if isinstance(record, kind)), None)
    return None if vm is None else (vm, [record for record in records if record is not vm])


def _locate(session: VmwareSession, guest_id: str) -> Ref:
    """Return the VM with an ID or a name that is not known yet.

    :raises EntityNotFound: ``Guest``
    :raises Conflict: there are several
    """
    if is_uuid(guest_id):
        for is_instance, what in ((True, "instance UUID"), (False, "BIOS UUID")):
            refs = _by_uuid(session, guest_id, is_instance=is_instance)
            if len(refs) == 1:
                return refs[0]
            if refs:
                vms = session.reader.read(Query(refs, [VmIdentity]))
                return _single([vm for vm in vms if isinstance(vm, VmIdentity)], what, guest_id, "Guest").ref
    records = session.reader.read(Query([session.root], [VmIdentity], TO_VMS))
    return _among([record for record in records if isinstance(record, VmIdentity)], guest_id)


def _by_uuid(session: VmwareSession, uuid: str, *, is_instance: bool) -> list[Ref]:
    index = session.api.content.searchIndex
    if index is None:
        return []
    try:
        found = index.FindAllByUuid(None, uuid, True, is_instance)
    except Fault as fault:
        if not fault.is_a(
            "MethodNotFound"
        ):  # govmomi's simulator does not have it; the list of all VMs follows
            raise
        return []
    return [Ref("VirtualMachine", vm._GetMoId()) for vm in found]  # noqa: SLF001  public in pyvmomi, in spite of its name


def _among(vms: Sequence[VmIdentity], guest_id: str) -> Ref:
    canonical = guest_id.lower()
    ways: tuple[tuple[str, Callable[[VmIdentity], bool]], ...] = (
        ("ID", lambda vm: vm.id == (canonical if vm.instance_uuid else guest_id)),
        ("BIOS UUID", lambda vm: (vm.bios_uuid or "").lower() == canonical),
        ("name", lambda vm: vm.name == guest_id),
    )
    for what, matches in ways:
        found = [vm for vm in vms if matches(vm)]
        if found:
            return _single(found, what, guest_id, "Guest").ref
    raise EntityNotFound("Guest", guest_id)
