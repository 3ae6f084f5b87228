"""Choose where a new VM goes: its folder, resource pool, host and datastore."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from simplestack import Conflict, PermissionDenied
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.guests.topology import PlaceHost, ResourcePool, Topology
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord, Named, NetworkRecord
from simplestack_vmware.vsphere.media.images import IsoStore
from simplestack_vmware.vsphere.sessions.lookups import only

N = TypeVar("N", bound=Named)


class Wishes(Struct, frozen=True, kw_only=True):
    """What the request or the settings say about the place. Names or IDs; None leaves the choice."""

    cluster: str | None = None
    resource_pool: str | None = None
    folder: str | None = None
    storage: str | None = None
    networks: Sequence[str] = ()
    #: Storages of further disks.
    storages: Sequence[str] = ()
    #: Stored names of the datastores with images.
    images: Sequence[str] = ()

    def or_settings(self, settings: VmwareSettings) -> "Wishes":
        """Return these, completed by the settings."""
        return replace(
            self,
            cluster=self.cluster or settings.cluster,
            resource_pool=self.resource_pool or settings.resource_pool,
            folder=self.folder or settings.folder,
            storage=self.storage or settings.default_storage,
        )


class Origin(Struct, frozen=True, kw_only=True):
    """Where the VM that is copied is: the place of the copy, unless the request says otherwise."""

    folder: Ref | None = None
    pool: Ref | None = None
    host: Ref | None = None
    datastores: Sequence[Ref] = ()
    networks: Sequence[Ref] = ()


class Place(NamedTuple):
    """A place that exists, and can take a VM now."""

    datacenter: Ref
    folder: Ref
    pool: Ref
    host: Ref
    #: None for the datastores of the VM that is copied.
    datastore: DatastoreRecord | None
    networks: list[NetworkRecord]
    #: Those of further disks.
    datastores: list[DatastoreRecord]


def choose_place(topology: Topology, wishes: Wishes, origin: Origin | None = None) -> Place:
    """Choose a place that has all that is wanted: the host with the most free memory.

    :param origin: of a copy
    :raises EntityNotFound: ``Cluster``, ``ResourcePool``, ``Folder``, ``Storage`` or ``Network``
    :raises Conflict: a name is ambiguous, or no host has all that is wanted
    :raises PermissionDenied: the user may not read any host
    """
    if not topology.hosts:
        raise PermissionDenied(
            "the user may not read any host, one of which must take the guest: grant the role Read-only on it"
        )
    hosts, pool, folder = _hosts_in(topology, wishes)
    networks = [
        _on_hosts(topology.networks, name, "Network", [ref for host in hosts for ref in host.networks])
        for name in wishes.networks
    ]
    reachable = [ref for host in hosts for ref in host.datastores]
    datastores: list[DatastoreRecord] = [
        _on_hosts(topology.datastores, name, "Storage", reachable) for name in wishes.storages
    ]
    datastore: DatastoreRecord | None = None
    if wishes.storage is not None:
        datastore = _on_hosts(topology.datastores, wishes.storage, "Storage", reachable)
    needed = {each.ref for each in (*networks, *datastores)}
    needed |= set(origin.networks if origin is not None else ())
    if datastore is not None:
        needed.add(datastore.ref)
    elif origin is not None:
        needed |= set(origin.datastores)
    for each in filter(None, (datastore, *datastores)):
        _require_usable(each)
    names = {each.ref: each.stored_name for each in topology.datastores}
    hosts = [
        host
        for host in hosts
        if host.takes_guests
        and needed <= {*host.datastores, *host.networks}
        and set(wishes.images) <= {names.get(ref) for ref in host.datastores}
    ]
    if not hosts:
        raise Conflict(
            "no host can take the guest: a host of its cluster must be connected, not be in maintenance "
            "mode, and have the storages and the networks"
        )
    if datastore is None and origin is None:
        datastore = _roomiest(topology, hosts)
        hosts = [host for host in hosts if datastore.ref in host.datastores]
    return _at(topology, _best(hosts, origin), pool, folder, origin)._replace(
        datastore=datastore, networks=networks, datastores=datastores
    )


def stores_near(topology: Topology, wishes: Wishes) -> list[IsoStore]:
    """Return the datastores of the hosts that are considered, where images may be."""
    hosts = _hosts_in(topology, wishes)[0]
    reachable = {ref for host in hosts if host.takes_guests for ref in host.datastores}
    return [store for store in topology.datastores if store.ref in reachable]


def _hosts_in(topology: Topology, wishes: Wishes) -> tuple[list[PlaceHost], ResourcePool | None, Ref | None]:
    """Return the hosts that the wishes leave, and the resource pool and the folder that are wanted."""
    hosts, pools = topology.hosts, topology.pools
    if wishes.cluster is not None:
        cluster = only(topology.computes, wishes.cluster, "Cluster").ref
        hosts = [host for host in hosts if host.parent == cluster]
        pools = [pool for pool in pools if pool.owner == cluster]
    pool = folder = None
    if wishes.resource_pool is not None:
        pool = only(pools, wishes.resource_pool, "ResourcePool")
        hosts = [host for host in hosts if host.parent == pool.owner]
    if wishes.folder is not None:
        folder = only(topology.folders, wishes.folder, "Folder").ref
        datacenter = topology.datacenter_of(folder)
        hosts = [host for host in hosts if topology.datacenter_of(host.ref) == datacenter]
    return hosts, pool, folder


def _on_hosts(records: Sequence[N], id_or_name: str, entity: str, reachable: Iterable[Ref]) -> N:
    """Find a record. Those that none of the hosts has count only if no other has the name."""
    refs = set(reachable)
    near = [record for record in records if record.ref in refs]
    names = {name for record in near for name in (record.id, record.name)}
    return only(near if id_or_name in names else records, id_or_name, entity)


def _roomiest(topology: Topology, hosts: list[PlaceHost]) -> DatastoreRecord:
    """Return the datastore for a new VM: one that several hosts can use, with the most free space."""
    reachable = {ref for host in hosts for ref in host.datastores}
    usable = [
        each
        for each in topology.datastores
        if each.ref in reachable and each.is_accessible and each.maintenance_mode == "normal"
    ]
    if not usable:
        raise Conflict("no host that takes new guests has an accessible storage: name one")
    return max(usable, key=lambda each: (each.is_shared, each.free_bytes or 0, each.stored_name))


def _require_usable(datastore: DatastoreRecord) -> None:
    if not datastore.is_accessible or datastore.maintenance_mode != "normal":
        raise Conflict(
            f"storage {datastore.name!r} is not accessible, or in maintenance mode: name another one"
        )


def _best(hosts: list[PlaceHost], origin: Origin | None) -> PlaceHost:
    """Return the host of the origin if it can be, else the one with the most free memory."""
    own = [host for host in hosts if origin is not None and host.ref == origin.host]
    return max(own or hosts, key=lambda host: (host.free_memory_bytes, host.stored_name))


def _at(
    topology: Topology, host: PlaceHost, pool: ResourcePool | None, folder: Ref | None, origin: Origin | None
) -> Place:
    """Return the place on a host, with the pool and the folder of the origin where the request names none."""
    compute = next((each for each in topology.computes if each.ref == host.parent), None)
    datacenter = next(
        (each for each in topology.datacenters if each.ref == topology.datacenter_of(host.ref)), None
    )
    if compute is None or compute.pool is None or datacenter is None or datacenter.vm_folder is None:
        raise Conflict(
            f"the user may not read the cluster of host {host.name!r} or its datacenter: allow it in vSphere"
        )
    pools = {each.ref for each in topology.pools if each.owner == compute.ref}
    folders = {each.ref for each in topology.folders if topology.datacenter_of(each.ref) == datacenter.ref}
    own_pool = None if origin is None or origin.pool not in pools else origin.pool
    own_folder = None if origin is None or origin.folder not in folders else origin.folder
    return Place(
        datacenter=datacenter.ref,
        folder=folder or own_folder or datacenter.vm_folder,
        pool=(None if pool is None else pool.ref) or own_pool or compute.pool,
        host=host.ref,
        datastore=None,
        networks=[],
        datastores=[],
    )
