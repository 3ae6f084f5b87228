"""A guest that another client deletes between two calls of an operation is not found, whatever comes next."""

import re
from collections.abc import Callable
from types import FrameType
from typing import Any

import libvirt
import pytest

from simplestack import (
    MIB,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    GuestUpdate,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
    SimplestackError,
)
from simplestack_kvm import errors
from simplestack_kvm.hooks import disks, guests, guests_update, interfaces, media, power, snapshots, tags
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.threads import profiled

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume

MAC = "52:54:00:12:34:57"
#: Calls that ask libvirtd.
_LOCAL = re.compile(r"vir\w+(Get(Name|Key|UUID|UUIDString|ID|UsageID|Connect)|Free|Ref)$|virEvent")

#: More than an operation takes on a host with few guests.
MOST_CALLS = 400

Operation = Callable[[KvmSession, str, Libvirtd], Any]
OPERATIONS: dict[str, Operation] = {
    "guest_info": lambda s, g, _: guests.guest_info(s, g),
    "guest_clone": lambda s, g, _: guests.guest_delete(s, guests.guest_clone(s, g, f"copy of {g}", None).id),
    "guest_delete": lambda s, g, _: guests.guest_delete(s, g),
    "guest_update": lambda s, g, _: guests_update.guest_update(
        s, g, GuestUpdate(name=f"renamed {g}", memory=48, cpus=2, template=True, hdd=0.01)
    ),
    "guest_start": lambda s, g, _: power.guest_start(s, g),
    "tag_create": lambda s, g, _: tags.tag_create(s, g, "web"),
    "disk_list": lambda s, g, _: disks.disk_list(s, g),
    "disk_create": lambda s, g, d: disks.disk_create(s, g, DiskCreate(size=0.01, storage_id=d.pool)),
    "disk_update": lambda s, g, _: disks.disk_update(s, g, "vda", DiskUpdate(name="data", size=0.01)),
    "disk_delete": lambda s, g, _: disks.disk_delete(s, g, "vda"),
    "media_info": lambda s, g, _: media.media_info(s, g),
    "media_unmount": lambda s, g, _: media.media_unmount(s, g),
    "network_interface_list": lambda s, g, _: interfaces.network_interface_list(s, g),
    "network_interface_create": lambda s, g, d: interfaces.network_interface_create(
        s, g, NetworkInterfaceCreate(network=d.network)
    ),
    "network_interface_update": lambda s, g, _: interfaces.network_interface_update(
        s, g, MAC, NetworkInterfaceUpdate(active=False)
    ),
    "network_interface_delete": lambda s, g, _: interfaces.network_interface_delete(s, g, MAC),
    "snapshot_list": lambda s, g, _: snapshots.snapshot_list(s, g),
    "snapshot_create": lambda s, g, _: snapshots.snapshot_create(s, g, "one"),
}


def outcome(action: Callable[[], object]) -> BaseException | None:
    """Return the error of an operation, as core translates it."""
    try:
        action()
    except (SimplestackError, NotImplementedError) as error:
        return error
    except libvirt.libvirtError as error:
        return errors.translate(error) or error
    return None


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_guest_that_vanishes_between_two_calls_is_not_found(
    session: KvmSession, libvirtd: Libvirtd, operation: str
) -> None:
    """Delete the guest after the first call, after the second one, and so forth, until none is left."""
    other = libvirt.open(libvirtd.uri)
    unexpected = []
    number, was_deleted = 0, True
    while was_deleted:
        number += 1
        assert number < MOST_CALLS, "each attempt leaves something on the host that takes a call more"
        was_deleted, function, error = _attempt(session, libvirtd, other, operation, number)
        if error is not None and not (isinstance(error, EntityNotFound) and error.entity == "Guest"):
            unexpected.append((number, function, repr(error)[:150]))
    other.close()
    assert number > 2
    assert not unexpected


def _attempt(
    session: KvmSession, libvirtd: Libvirtd, other: "libvirt.virConnect", operation: str, number: int
) -> tuple[bool, str, BaseException | None]:
    """Delete the guest after a call; return whether there was such a call, its name, and the error."""
    calls: list[str] = []
    interface = (
        f"<interface type='network'><mac address='{MAC}'/><source network='{libvirtd.network}'/>"
        "<model type='virtio'/></interface>"
    )
    with volume(session.connection, libvirtd.pool, MIB) as disk:
        devices = file_disk(disk.path(), "vda", "virtio") + interface
        devices += file_disk("", "sda", "sata", device="cdrom", more="<readonly/>")
        with foreign(session.connection, devices) as domain:
            guest_id = domain.UUIDString()

            def notice(_frame: FrameType, event: str, called: object) -> None:
                if event != "c_return":
                    return
                name = getattr(called, "__name__", "")
                if name.startswith("vir") and not _LOCAL.search(name):
                    calls.append(name)
                    if len(calls) == number:
                        _vanish(other, guest_id)

            with profiled(notice):
                error = outcome(lambda: OPERATIONS[operation](session, guest_id, libvirtd))
            _vanish(other, guest_id)
    return len(calls) >= number, calls[number - 1] if len(calls) >= number else "", error


def _vanish(other: "libvirt.virConnect", guest_id: str) -> None:
    try:
        domain = other.lookupByUUIDString(guest_id)
        if domain.isActive():
            domain.destroy()
        domain.undefineFlags(
            libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
        )
    except libvirt.libvirtError as error:
        if error.get_error_code() not in (libvirt.VIR_ERR_NO_DOMAIN, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
