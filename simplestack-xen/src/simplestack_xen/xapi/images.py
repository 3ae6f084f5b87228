"""Find, create and copy disk images (XAPI's VDIs), and find their users."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.drives import Drive, is_for_cloud_init
from simplestack_xen.xapi.lookups import by_name, by_uuid, only
from simplestack_xen.xapi.making import Making
from simplestack_xen.xapi.marks import is_unfinished
from simplestack_xen.xapi.records import NULL, SrRecord, VbdRecord, VdiRecord, VmRecord
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import Sr
from simplestack_xen.xapi.tasks import reference_in
from simplestack_xen.xapi.undo import Undo


def find_image(session: XenSession, id_or_name: str, entity: str) -> tuple[str, VdiRecord]:
    """Find a disk image by UUID or name: of an ISO repository (``ISO``), or of another one (``Image``).

    :param entity: ``ISO`` or ``Image``
    :raises EntityNotFound: `entity`
    :raises Conflict: several have this name
    """
    with_uuid = by_uuid(session, VdiRecord, "VDI", id_or_name)
    named = by_name(session, VdiRecord, "VDI", id_or_name) if with_uuid is None else dict([with_uuid])
    storages = session.api.read_some(SrRecord, "SR", {image.SR for image in named.values()})
    return only(
        {
            ref: image
            for ref, image in named.items()
            if image.SR in storages
            and storages[image.SR].holds_isos == (entity == "ISO")
            and not image.is_a_snapshot
            and not is_for_cloud_init(image)
            and (len(named) == 1 or not is_unfinished(image))
        },
        entity,
        id_or_name,
    )


class OwnImages(NamedTuple):
    """Disk images that are some VMs' alone."""

    #: By reference.
    names: dict[str, str]
    #: References of the storage repositories that they are in.
    storages: set[str]
    #: Those of the VMs' disk images that others use, too, by reference.
    shared: dict[str, VdiRecord]


def own_images(session: XenSession, drives: Iterable[Drive], vms: Mapping[str, VmRecord]) -> OwnImages:
    """Return the disk images that only these VMs use; memory images of theirs included.

    Use by the control domain does not count: the image is being copied or backed up, and XAPI will not
    destroy it.

    :param drives: drives of these VMs
    """
    writable = [drive for drive in drives if not drive.image.read_only]
    own = {ref for vm in vms.values() for ref in vm.VBDs}
    foreign = {ref for drive in writable for ref in drive.image.VBDs} - own
    own |= of_control_domains(session, foreign)
    disks = {drive.record.VDI: drive.image for drive in writable if own.issuperset(drive.image.VBDs)}
    memory = session.api.read_some(VdiRecord, "VDI", {vm.suspend_VDI for vm in vms.values()})
    return OwnImages(
        {ref: image.name_label for ref, image in disks.items()} | dict.fromkeys(memory, "memory"),
        {image.SR for image in (*disks.values(), *memory.values())},
        {drive.record.VDI: drive.image for drive in writable if drive.record.VDI not in disks},
    )


def create_image(
    session: XenSession,
    undo: Undo,
    making: Making,
    sr: Sr,
    size_bytes: int,
    *,
    name: str,
    other_config: Mapping[str, str] = MappingProxyType({}),
) -> str:
    """Create an empty disk image, and return its reference."""
    image = str(
        session.xenapi.VDI.create(
            {
                "name_label": name,
                "name_description": "",
                "SR": sr.ref,
                "virtual_size": size_bytes,
                "type": "user",
                "sharable": False,
                "read_only": False,
                "other_config": {**other_config, **making.marks(name)},
            },
        )
    )
    making.created("VDI", image)
    undo.later(session.xenapi.VDI.destroy, image)
    return image


def copied(
    session: XenSession, undo: Undo, making: Making, image: tuple[str, VdiRecord], sr: Sr, *, name: str
) -> str:
    """Copy a disk image, and return the copy. In the same storage, it is a fast clone.

    XAPI gives a clone the name of the original. Its mark keeps it out of lookups until it has its own.
    """
    ref, record = image
    if sr.ref == record.SR:
        try:
            with making.copying("VDI", ref, record, record.name_label):
                made = reference_in(session.tasks.run.VDI.clone(ref, {}))
        except XenAPI.Failure as failure:
            if failure.details[0] != "SR_OPERATION_NOT_SUPPORTED":
                raise
        else:
            undo.later(session.xenapi.VDI.destroy, made)
            making.own("VDI", made, session.api.read(VdiRecord, "VDI.get_record", made))
            session.xenapi.VDI.set_name_label(made, name)
            return made
    made = create_image(session, undo, making, sr, record.virtual_size, name=name)
    session.tasks.run.VDI.copy(ref, NULL, NULL, made)
    making.attaching(made, name)
    return made


def of_control_domains(session: XenSession, refs: Iterable[str]) -> set[str]:
    """Return the drives that belong to control domains, which copy and back up images."""
    vbds = session.api.read_some(VbdRecord, "VBD", refs)
    owners = session.api.read_some(VmRecord, "VM", {drive.VM for drive in vbds.values()})
    return {ref for ref, drive in vbds.items() if drive.VM in owners and owners[drive.VM].is_control_domain}
