"""Tags of guests. They are XAPI's tags, which its other clients see, too."""

from simplestack import EntityNotFound, hookimpl
from simplestack_xen.xapi.lookups import Vm, find_guest
from simplestack_xen.xapi.session import XenSession


@hookimpl
def tag_list(session: XenSession, guest_id: str) -> list[str]:
    """List a guest's tags."""
    return _tags(session, find_guest(session, guest_id))


@hookimpl
def tag_create(session: XenSession, guest_id: str, name: str) -> list[str]:
    """Add a tag to a guest."""
    vm = find_guest(session, guest_id)
    session.xenapi.VM.add_tags(vm.ref, name)
    return _tags(session, vm)


@hookimpl
def tag_delete(session: XenSession, guest_id: str, name: str) -> None:
    """Remove a tag from a guest."""
    vm = find_guest(session, guest_id)
    if name not in _tags(session, vm):
        raise EntityNotFound("Tag", name)
    session.xenapi.VM.remove_tags(vm.ref, name)


def _tags(session: XenSession, vm: Vm) -> list[str]:
    return sorted(set(session.api.read(list[str], "VM.get_tags", vm.ref)))
