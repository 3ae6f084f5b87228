"""Import guests: vSphere makes the VM of a descriptor, and takes its disks as the client sends them.

The VM exists from the begin, held by a lease. It stays if the lease is completed; vSphere removes it with
its files if the lease is aborted, or is not renewed.
"""

import uuid
from typing import Any, NamedTuple

from msgspec import UNSET

from simplestack import (
    Conflict,
    GuestImport,
    HypervisorTimeout,
    InsufficientStorage,
    InvalidArguments,
    SimplestackError,
    gib,
    time_left_seconds,
    warn,
)
from simplestack.appliances import Appliance
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.changes.undo import Undo
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.guests.creation import remove_new_vm, start_vm
from simplestack_vmware.vsphere.guests.naming import require_free_name
from simplestack_vmware.vsphere.guests.placement import Place, Wishes, choose_place
from simplestack_vmware.vsphere.guests.topology import Topology
from simplestack_vmware.vsphere.inventory.names import decoded, encoded
from simplestack_vmware.vsphere.inventory.records import DatastoreRecord, NetworkRecord
from simplestack_vmware.vsphere.networks.new_cards import new_card
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.transfer.images import Image
from simplestack_vmware.vsphere.transfer.import_specs import (
    Specification,
    cards_of,
    specify,
)
from simplestack_vmware.vsphere.transfer.kept_macs import keep_macs, renew_taken_macs
from simplestack_vmware.vsphere.transfer.leases import Lease
from simplestack_vmware.vsphere.transfer.uploads import Uploads

_FIRMWARE = {"bios": "bios", "uefi": "efi"}
_FIRMWARE_OF = {efi: uefi for uefi, efi in _FIRMWARE.items()}
_FIRST_CARD_KEY = -401
#: How often another name is tried when others take it meanwhile.
_ATTEMPTS = 3


class Order(NamedTuple):
    """What is wanted, and what there is."""

    session: VmwareSession
    topology: Topology
    wanted: GuestImport
    #: ID or name; None leaves the choice.
    storage_id: str | None
    #: Of the image, in bytes; None if unknown.
    size: int | None


def import_guest(order: Order, image: Image) -> str:
    """Create a guest of an image, and return its ID. Its disks are read when all else has been checked.

    :raises InvalidArguments: vSphere cannot import it, or lacks its networks
    :raises EntityNotFound: ``Storage``, or ``Network`` in the query
    :raises Conflict: another guest has the name in the query
    :raises InsufficientStorage: the storage is too small
    """
    session, topology, wanted = order.session, order.topology, order.wanted
    appliance = image.appliance
    if wanted.name is not UNSET:
        require_free_name(wanted.name, topology.vms)
    name = _free_name(topology, appliance.name) if wanted.name is UNSET else wanted.name
    networks = list(wanted.network) or _networks_of(topology, appliance)
    wishes = Wishes(storage=order.storage_id, networks=networks).or_settings(session.settings)
    place = choose_place(topology, wishes)
    assert place.datastore is not None  # noqa: S101  for the type checker: there is no origin
    _require_room(place.datastore, appliance, order.size)
    mapping = _mapping(appliance, wanted, place)
    made = specify(session, image.document, name, place, mapping)
    if wanted.firmware not in (UNSET, _FIRMWARE_OF[appliance.firmware]):
        made = made._replace(nvram_href=None)  # they are those of the other firmware
    guest_id = made.config.instanceUuid = str(uuid.uuid4())
    keeps_macs = _change(order, made.config, appliance, place)
    with Undo() as undo:
        lease = _begin(order, made, place, name, undo)
        undo.do_repeatable("removing the new guest", _remove, session, lease, guest_id)
        uploads = Uploads(session, lease, made)
        uploads.take_nvram(image.read_disks(uploads.take, uploads.nvram_href))
        if time_left_seconds() <= 0:
            raise HypervisorTimeout("the import took too long: everything that it created is removed")
        lease.complete()
        assert lease.vm is not None  # noqa: S101  for the type checker: leases of imports have it
        if keeps_macs:
            renew_taken_macs(session, lease.vm)
        if wanted.start:
            start_vm(session, lease.vm)
    return guest_id


def _free_name(topology: Topology, name: str) -> str:
    """Return a name that no other guest has. A warning tells it, if it is another one."""
    free = topology.free_name(name)
    if free != name:
        warn(f"the guest is named {free!r}, since another one has the name {name!r}")
    return free


def _networks_of(topology: Topology, appliance: Appliance) -> list[str]:
    """Return the names of the networks of this host that an appliance names. vSphere escapes them there.

    :raises InvalidArguments: there is none of the name
    """
    there = {network.name for network in topology.networks}
    named = dict.fromkeys(each.network for each in appliance.interfaces if each.network is not None)
    missing = [text for text in named if text not in there and decoded(text) not in there]
    if missing:
        raise InvalidArguments(
            f"the host does not have these networks of the image: {', '.join(map(repr, missing))}; name one "
            "for each network interface in the query, such as `?network=lan&network=lan`"
        )
    return [text if text in there else decoded(text) for text in named]


def _mapping(appliance: Appliance, wanted: GuestImport, place: Place) -> list[tuple[str, NetworkRecord]]:
    """Return which network each name in the descriptor means."""
    named = list(dict.fromkeys(each.network for each in appliance.interfaces if each.network is not None))
    if wanted.network:  # these cards are replaced
        return [(text, place.networks[0]) for text in named]
    return list(zip(named, place.networks, strict=True))


def _require_room(datastore: DatastoreRecord, appliance: Appliance, size: int | None) -> None:
    """Check that the disks can be in a datastore. They take only the space that they use.

    :raises InsufficientStorage: they cannot
    """
    free, capacity = datastore.free_bytes or 0, datastore.capacity_bytes or 0
    known = sum(disk.populated_bytes or 0 for disk in appliance.disks)
    if max(size or 0, known) > free:
        raise InsufficientStorage(
            f"the image needs {gib(max(size or 0, known)):.4g} GiB, and storage {datastore.name!r} has "
            f"{gib(free):.4g} GiB left: name another storage"
        )
    for disk in appliance.disks:
        if disk.capacity_bytes > capacity:
            raise InsufficientStorage(
                f"a disk of the image has {gib(disk.capacity_bytes):.4g} GiB, and storage {datastore.name!r} "
                f"only {gib(capacity):.4g} GiB: name a larger storage"
            )


def _change(order: Order, config: Any, appliance: Appliance, place: Place) -> bool:
    """Change a configuration to what the query says of the guest.

    :return: whether the guest keeps a MAC address of the image
    """
    wanted = order.wanted
    if wanted.memory is not UNSET:
        config.memoryMB = wanted.memory
    if wanted.cpus is not UNSET:
        config.numCPUs = wanted.cpus
        if config.numCoresPerSocket and wanted.cpus % config.numCoresPerSocket:
            config.numCoresPerSocket = 1
    if wanted.firmware is not UNSET:
        config.firmware = _FIRMWARE[wanted.firmware]
    if not wanted.network:
        return keep_macs(order.session, config, appliance)
    cards = cards_of(config)
    is_fast = all(isinstance(card, vim.vm.device.VirtualVmxnet3) for card in cards)
    config.deviceChange = [each for each in config.deviceChange if each.device not in cards]
    config.deviceChange += [
        new_card(network, order.topology.switch_uuids, _FIRST_CARD_KEY - number, paravirtualized=is_fast)
        for number, network in enumerate(place.networks)
    ]
    return False


def _remove(session: VmwareSession, lease: Lease, guest_id: str) -> None:
    """Remove a guest that is being imported, or has just been."""
    if not lease.abort():
        remove_new_vm(session, guest_id)


def _begin(order: Order, made: Specification, place: Place, name: str, undo: Undo) -> Lease:
    """Make the VM, and return the lease that holds it.

    :param undo: removes the VM if its lease is not known
    :raises Conflict: another guest has got the name in the query
    """
    session, topology = order.session, order.topology
    pool, folder = session.api.object(place.pool), session.api.object(place.folder)
    for attempt in range(_ATTEMPTS):
        try:
            lease = Lease.begin(session, pool.ImportVApp, made.spec, folder, session.api.object(place.host))
        except Fault as fault:
            if not fault.is_a("DuplicateName") or attempt == _ATTEMPTS - 1:
                raise
            if order.wanted.name is not UNSET:
                raise Conflict.of_name("guest", name) from None
            topology.take_name(name)
            name = _free_name(topology, name)
            made.config.name = encoded(name)
        except SimplestackError:  # perhaps it took effect
            what = f"removing guest {name!r} before its lease expires in five minutes"
            undo.do_repeatable(what, remove_new_vm, session, made.config.instanceUuid)
            raise
        else:
            break
    return lease
