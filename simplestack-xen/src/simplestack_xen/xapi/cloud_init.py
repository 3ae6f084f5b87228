"""Data for cloud-init: an ISO image on a small disk of the guest's own, which clients do not see.

The data is secret, and the guest's alone. Two marks in ``other_config`` say so: that of the disk image tells
which guest it was made for, that of the VM that there is such a disk. XAPI copies both with the VM: to clones
and images of it, which must not keep the data, and to snapshots, which need it for a revert.
"""

import io

from simplestack import MIB, CloudInit, nocloud_image, warn
from simplestack_xen.xapi.drives import (
    CLOUD_INIT_KEY,
    Drive,
    create_drive,
    drives,
    is_for_cloud_init,
)
from simplestack_xen.xapi.images import create_image
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.making import Making
from simplestack_xen.xapi.records import VdiRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import Sr
from simplestack_xen.xapi.undo import Undo
from simplestack_xen.xapi.uploads import upload

#: The last device that every version of XAPI has: the guest's disks keep their numbers, and no guest boots
#: from it, since only devices 0 to 3 are emulated for firmware.
_DEVICE = "15"


def has_data(vm: Vm) -> bool:
    """Return whether a VM was created with data for cloud-init, or copied from such a VM."""
    return CLOUD_INIT_KEY in vm.record.other_config


def add_data(session: XenSession, undo: Undo, making: Making, vm: Vm, data: CloudInit, *, sr: Sr) -> None:
    """Make the disk for a new VM.

    It is writable: XAPI has no read-only disks for HVM guests (DISK_VBD_MUST_BE_READWRITE_FOR_HVM).

    :raises HypervisorUnavailable: pycdlib is not installed
    """
    guest_id, name = vm.record.uuid, vm.record.name_label
    content = nocloud_image(guest_id, data)
    size = -(-len(content) // MIB) * MIB
    image = create_image(
        *(session, undo, making, sr, size),
        name=f"{name[:240]} cloud-init",
        other_config={CLOUD_INIT_KEY: guest_id},
    )
    _fill(session, image, content)
    create_drive(session, undo, vm.ref, image, bootable=False, device=_DEVICE)
    session.xenapi.VM.add_to_other_config(vm.ref, CLOUD_INIT_KEY, guest_id)


def own_copy(session: XenSession, making: Making, vm: Vm) -> None:
    """Take over a VM that the operation has created, without the data of what it was copied from."""
    for ref in remove_copied_data(session, vm, making.own_vm(vm.ref)):
        making.disown(ref)


def remove_copied_data(session: XenSession, vm: Vm, copied: list[Drive] | None = None) -> list[str]:
    """Remove the data for cloud-init that a new VM has from what it was copied from.

    An image is destroyed if it was made for another guest, and is in no drive but the new VM's. If another
    drive has it, only the new VM's drive is removed. If the VM is not marked, the image may be a disk with
    other data: it is kept and loses its mark, so that clients see it.

    :param copied: drives of the VM. None reads them
    :return: references of the destroyed disk images
    """
    destroyed = []
    for drive in drives(session, vm.record) if copied is None else copied:
        image, ref = drive.image, drive.record.VDI
        if not is_for_cloud_init(image) or image.other_config[CLOUD_INIT_KEY] == vm.record.uuid:
            continue
        if not set(image.VBDs) <= {drive.ref}:
            session.xenapi.VBD.destroy(drive.ref)
        elif has_data(vm):
            session.tasks.run.VDI.destroy(ref)  # its drive goes with it
            destroyed.append(ref)
        else:
            session.xenapi.VDI.remove_from_other_config(ref, CLOUD_INIT_KEY)
            warn(
                f"disk {image.name_label!r} ({image.uuid}) is kept as a disk of the guest: it is marked as "
                "data for cloud-init, but the guest that it is from is not"
            )
    if has_data(vm):
        session.xenapi.VM.remove_from_other_config(vm.ref, CLOUD_INIT_KEY)
    return destroyed


def _fill(session: XenSession, image: str, content: bytes) -> None:
    """Write the content to a new disk image, and zeros up to its end.

    XAPI has rounded its size up, and old versions read as many bytes as it has.
    """
    size = session.api.read(VdiRecord, "VDI.get_record", image).virtual_size
    query = {"vdi": image, "format": "raw"}
    upload(session, "/import_raw_vdi", query, _Padded(content), size, what="the import of a disk")


class _Padded:
    """A stream of bytes, and zeros after them without an end."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int, /) -> bytes:
        """Return so many bytes."""
        return self._content.read(size).ljust(size, b"\0")
