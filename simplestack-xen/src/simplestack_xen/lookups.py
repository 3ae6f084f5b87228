"""What clients name, found in XAPI: guests by UUID, storages and networks by UUID or by name."""

import uuid
from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from simplestack import Conflict, EntityNotFound, GuestState, InvalidArguments, InvalidState
from simplestack_xen.failures import XapiFailure
from simplestack_xen.records import (
    NULL,
    NetworkRecord,
    PoolRecord,
    Record,
    SrRecord,
    VbdRecord,
    VdiRecord,
    VmRecord,
)
from simplestack_xen.session import XenSession

R = TypeVar("R", bound=Record)

_MAX_KNOWN_REFS = 4096


class Vm(NamedTuple):
    """A VM, and where XAPI has it."""

    ref: str
    record: VmRecord


class Drive(NamedTuple):
    """A VM's drive, and what is in it."""

    ref: str
    record: VbdRecord
    image: VdiRecord


class Sr(NamedTuple):
    """A storage repository."""

    ref: str
    record: SrRecord


class Network(NamedTuple):
    """A network."""

    ref: str
    record: NetworkRecord


def find_guest(session: XenSession, guest_id: str) -> Vm:
    """Find a guest, or a template that can be made one again.

    :raises EntityNotFound: ``Guest``; snapshots and control domains are none
    """
    found = _by_uuid(session, VmRecord, "VM", guest_id)
    if found is None or found[1].is_a_snapshot or found[1].is_control_domain:
        raise EntityNotFound("Guest", guest_id)
    return Vm(*found)


def need(vm: Vm, tried: str, *states: GuestState) -> None:
    """Pass a guest that is in one of the states.

    :param tried: such as ``cannot start``
    :raises InvalidState: it is not, or is a template
    """
    record = vm.record
    if record.is_a_template:
        raise InvalidState(f"{tried} {record.name_label!r}", "TEMPLATE", "a guest made from the template")
    if record.state not in states:
        raise InvalidState(f"{tried} guest {record.name_label!r}", record.state, " or ".join(states))


def find_template(session: XenSession, id_or_name: str) -> Vm:
    """Find what is to be cloned: a template, or a guest that is off.

    :raises EntityNotFound: ``Guest``
    :raises Conflict: several have the name
    :raises InvalidState: it is not off
    """
    found = _by_uuid(session, VmRecord, "VM", id_or_name)
    if found is None:
        named = _by_name(session, VmRecord, "VM", id_or_name)
        usable = {ref: vm for ref, vm in named.items() if not vm.is_a_snapshot and not vm.is_control_domain}
        found = _only(usable, "Guest", id_or_name)
    elif found[1].is_a_snapshot or found[1].is_control_domain:
        raise EntityNotFound("Guest", id_or_name)
    vm = Vm(*found)
    if not vm.record.is_a_template:
        need(vm, "cannot clone", GuestState.STOPPED)
    return vm


def drives(session: XenSession, *vms: VmRecord) -> list[Drive]:
    """Return the drives of VMs that hold a disk, in their order: two round trips."""
    refs = [ref for vm in vms for ref in vm.VBDs]
    return filled(session, {ref: vbd for ref, vbd in vbds(session, refs).items() if vbd.type == "Disk"})


def vbds(session: XenSession, refs: list[str]) -> dict[str, VbdRecord]:
    """Return drives of all kinds, in their order: one round trip."""
    found = session.api.read_some(VbdRecord, "VBD", refs)
    return dict(sorted(found.items(), key=lambda item: item[1].position))


def filled(session: XenSession, found: Mapping[str, VbdRecord]) -> list[Drive]:
    """Return drives with what is in them; those that are empty are left out."""
    images = session.api.read_some(VdiRecord, "VDI", [vbd.VDI for vbd in found.values()])
    return [Drive(ref, vbd, images[vbd.VDI]) for ref, vbd in found.items() if vbd.VDI in images]


def find_drive(session: XenSession, vm: Vm, disk_id: str) -> Drive:
    """Find a disk of a guest.

    :raises EntityNotFound: ``Disk``
    """
    for drive in drives(session, vm.record):
        if drive.record.userdevice == disk_id:
            return drive
    raise EntityNotFound("Disk", disk_id)


def find_sr(session: XenSession, id_or_name: str) -> Sr:
    """Find a storage repository.

    :raises EntityNotFound: ``Storage``
    :raises Conflict: several have the name
    """
    found = _by_uuid(session, SrRecord, "SR", id_or_name)
    if found is None:
        found = _only(_by_name(session, SrRecord, "SR", id_or_name), "Storage", id_or_name)
    return Sr(*found)


def find_disk_sr(session: XenSession, id_or_name: str | None) -> Sr:
    """Find the storage repository for new disks: the one named, the default one, or the one with most room.

    :raises EntityNotFound: ``Storage``
    :raises InvalidArguments: it holds ISO images
    :raises Conflict: none was named, and there is none to choose
    """
    wanted = id_or_name or session.settings.default_storage
    if wanted is not None:
        sr = find_sr(session, wanted)
        if sr.record.holds_isos:
            raise InvalidArguments(
                f"storage {sr.record.name_label!r} holds ISO images: name another for disks"
            )
        return sr
    pools = session.api.read_all(PoolRecord, "pool")
    found = session.api.read_all(SrRecord, "SR")
    for pool in pools.values():
        if pool.default_SR in found:
            return Sr(pool.default_SR, found[pool.default_SR])
    usable = [Sr(ref, sr) for ref, sr in found.items() if sr.PBDs and not sr.holds_isos]
    if not usable:
        raise Conflict("the pool has no storage for disks: connect one")
    return max(usable, key=lambda sr: sr.record.free_bytes)


def find_network(session: XenSession, id_or_name: str) -> Network:
    """Find a network by UUID or name, or by the reference that the first Simplestack showed.

    :raises EntityNotFound: ``Network``
    :raises Conflict: several have the name
    """
    if id_or_name.startswith("OpaqueRef:"):
        try:
            record = session.api.read(NetworkRecord, "network.get_record", id_or_name)
        except XapiFailure as failure:
            if failure.code != "HANDLE_INVALID":
                raise
            raise EntityNotFound("Network", id_or_name) from None
        return Network(id_or_name, record)
    found = _by_uuid(session, NetworkRecord, "network", id_or_name)
    if found is None:
        found = _only(_by_name(session, NetworkRecord, "network", id_or_name), "Network", id_or_name)
    return Network(*found)


def find_image(session: XenSession, id_or_name: str, entity: str) -> tuple[str, VdiRecord]:
    """Find a disk image by UUID or name: of an ISO repository (``ISO``), or of another one (``Image``).

    :param entity: which of them, and what it is called when it is missing
    :raises EntityNotFound: that
    :raises Conflict: several have the name
    """
    found = _by_uuid(session, VdiRecord, "VDI", id_or_name)
    named = _by_name(session, VdiRecord, "VDI", id_or_name) if found is None else dict([found])
    storages = session.api.read_some(SrRecord, "SR", {image.SR for image in named.values()})
    return _only(
        {
            ref: image
            for ref, image in named.items()
            if image.SR in storages
            and storages[image.SR].holds_isos == (entity == "ISO")
            and not image.is_a_snapshot
        },
        entity,
        id_or_name,
    )


def find_record(session: XenSession, kind: type[R], class_name: str, entity: str, uuid_text: str) -> R:
    """Return the object that has a UUID.

    :raises EntityNotFound: the entity
    """
    found = _by_uuid(session, kind, class_name, uuid_text)
    if found is None:
        raise EntityNotFound(entity, uuid_text)
    return found[1]


def _by_uuid(session: XenSession, kind: type[R], class_name: str, text: str) -> tuple[str, R] | None:
    """Return what has a UUID, and its reference, or None.

    Two round trips, one where its reference is known, none for what is no UUID.
    """
    canonical = canonical_uuid(text)
    if canonical is None:
        return None
    known = session.known_refs.get((class_name, canonical))
    if known is not None:
        record = _get_record(session, kind, class_name, known)
        if record is not None:
            return known, record
        del session.known_refs[class_name, canonical]
    try:
        ref = session.api.read(str, f"{class_name}.get_by_uuid", canonical)
    except XapiFailure as failure:
        if failure.code != "UUID_INVALID":
            raise
        return None
    record = _get_record(session, kind, class_name, ref)
    if record is None:
        return None
    if len(session.known_refs) >= _MAX_KNOWN_REFS:
        session.known_refs.clear()
    session.known_refs[class_name, canonical] = ref
    return ref, record


def _get_record(session: XenSession, kind: type[R], class_name: str, ref: str) -> R | None:
    try:
        return session.api.read(kind, f"{class_name}.get_record", ref)
    except XapiFailure as failure:
        if failure.code != "HANDLE_INVALID":
            raise
        return None


def _by_name(session: XenSession, kind: type[R], class_name: str, name: str) -> dict[str, R]:
    """Return all that have a name, by reference: two round trips."""
    refs = session.api.read(list[str], f"{class_name}.get_by_name_label", name)
    return session.api.read_some(kind, class_name, refs)


def _only(found: Mapping[str, R], entity: str, name: str) -> tuple[str, R]:
    if not found:
        raise EntityNotFound(entity, name)
    if len(found) > 1:
        ids = ", ".join(sorted(record.uuid for record in found.values()))
        raise Conflict(f"several are named {name!r}; name one by its id: {ids}")
    return next(iter(found.items()))


def canonical_uuid(text: str) -> str | None:
    """Return a UUID as XAPI writes it; None for what is none."""
    try:
        canonical = str(uuid.UUID(text))
    except ValueError:
        return None
    return canonical if canonical == text.lower() else None


def is_set(ref: str) -> bool:
    """Tell whether a reference refers to anything."""
    return ref not in (NULL, "")
