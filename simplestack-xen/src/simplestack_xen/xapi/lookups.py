"""Look up objects in XAPI: guests by UUID, storages and networks by UUID or name."""

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from simplestack import (
    EntityNotFound,
    GuestState,
    InvalidState,
    is_uuid,
    require_one,
    require_state,
)
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.marks import is_unfinished
from simplestack_xen.xapi.records import (
    NULL,
    NetworkRecord,
    Record,
    VmRecord,
)
from simplestack_xen.xapi.session import XenSession

R = TypeVar("R", bound=Record)

_MAX_KNOWN_REFS = 4096


class Vm(NamedTuple):
    """A VM and its reference."""

    ref: str
    record: VmRecord


class Network(NamedTuple):
    """A network and its reference."""

    ref: str
    record: NetworkRecord


def find_guest(session: XenSession, guest_id: str) -> Vm:
    """Find a guest or a template.

    :raises EntityNotFound: ``Guest``, also for snapshots and control domains
    """
    vm = by_uuid(session, VmRecord, "VM", guest_id)
    if vm is None or vm[1].is_a_snapshot or vm[1].is_control_domain:
        raise EntityNotFound("Guest", guest_id)
    return Vm(*vm)


def require_guest_state(vm: Vm, attempt: str, *needed: GuestState) -> None:
    """Check that a guest is in one of the states that an operation needs.

    :param attempt: what was tried with it, such as ``start``
    :raises InvalidState: the guest is in another state, or is a template
    """
    attempt = f"{attempt} guest {vm.record.name_label!r}"
    if vm.record.is_a_template:
        raise InvalidState.of_template(attempt)
    require_state(vm.record.state, *needed, attempt=attempt)


def find_template(session: XenSession, id_or_name: str) -> Vm:
    """Find a template or a stopped guest to clone.

    :raises EntityNotFound: ``Guest``
    :raises Conflict: several have this name
    :raises InvalidState: the guest is not stopped
    """
    template = by_uuid(session, VmRecord, "VM", id_or_name)
    if template is None:
        named = by_name(session, VmRecord, "VM", id_or_name)
        usable = {
            ref: vm
            for ref, vm in named.items()
            if not (vm.is_a_snapshot or vm.is_control_domain or is_unfinished(vm))
        }
        template = only(usable, "Guest", id_or_name)
    elif template[1].is_a_snapshot or template[1].is_control_domain:
        raise EntityNotFound("Guest", id_or_name)
    vm = Vm(*template)
    if not vm.record.is_a_template:
        require_guest_state(vm, "clone", GuestState.STOPPED)
    return vm


def find_network(session: XenSession, id_or_name: str) -> Network:
    """Find a network by UUID or name, or by the reference that first-generation Simplestack returned.

    :raises EntityNotFound: ``Network``
    :raises Conflict: several have this name
    """
    if id_or_name.startswith("OpaqueRef:"):
        try:
            record = session.api.read(NetworkRecord, "network.get_record", id_or_name)
        except XenAPI.Failure as failure:
            if failure.details[0] != "HANDLE_INVALID":
                raise
            raise EntityNotFound("Network", id_or_name) from None
        return Network(id_or_name, record)
    network = by_uuid(session, NetworkRecord, "network", id_or_name)
    if network is None:
        network = only(by_name(session, NetworkRecord, "network", id_or_name), "Network", id_or_name)
    return Network(*network)


def find_record(session: XenSession, kind: type[R], class_name: str, entity: str, uuid_text: str) -> R:
    """Return the object with a UUID.

    :raises EntityNotFound: `entity`
    """
    record = by_uuid(session, kind, class_name, uuid_text)
    if record is None:
        raise EntityNotFound(entity, uuid_text)
    return record[1]


def by_uuid(session: XenSession, kind: type[R], class_name: str, text: str) -> tuple[str, R] | None:
    """Return the reference and the record of the object with a UUID, or None.

    Two round trips, or one if the reference is known. None for text that is not a UUID.
    """
    if not is_uuid(text):
        return None
    canonical = text.lower()  # as XAPI writes it
    known = session.known_refs.get((class_name, canonical))
    if known is not None:
        record = session.api.read_if_there(kind, class_name, known)
        if record is not None:
            return known, record
        del session.known_refs[class_name, canonical]
    try:
        ref = session.api.read(str, f"{class_name}.get_by_uuid", canonical)
    except XenAPI.Failure as failure:
        if failure.details[0] != "UUID_INVALID":
            raise
        return None
    record = session.api.read_if_there(kind, class_name, ref)
    if record is None:
        return None
    if len(session.known_refs) >= _MAX_KNOWN_REFS:
        session.known_refs.clear()
    session.known_refs[class_name, canonical] = ref
    return ref, record


def by_name(session: XenSession, kind: type[R], class_name: str, name: str) -> dict[str, R]:
    """Return all objects with a name, by reference."""
    refs = session.api.read(list[str], f"{class_name}.get_by_name_label", name)
    return session.api.read_some(kind, class_name, refs)


def only(named: Mapping[str, R], entity: str, name: str) -> tuple[str, R]:
    """Return the reference and the record of the only object with a name.

    :raises EntityNotFound: `entity`: there is none
    :raises Conflict: there are several
    """
    return require_one(list(named.items()), entity, name, id_of=lambda item: item[1].uuid)


def is_set(ref: str) -> bool:
    """Return whether a reference is neither null nor empty."""
    return ref not in (NULL, "")
