"""Tags of guests. They are lines of the notes, as in first-generation Simplestack."""

from collections.abc import Callable

from simplestack import Busy, EntityNotFound, hookimpl
from simplestack_vmware.sdk import vim
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.guests.annotations import tags_in, with_tag, without_tag
from simplestack_vmware.vsphere.inventory.records import VmNotes
from simplestack_vmware.vsphere.sessions.lookups import find_guest, require_changeable
from simplestack_vmware.vsphere.sessions.session import VmwareSession

_ATTEMPTS = 5


@hookimpl
def tag_list(session: VmwareSession, guest_id: str) -> list[str]:
    """List a guest's tags: each line of its notes is one."""
    return tags_in(find_guest(session, guest_id, VmNotes).annotation)


@hookimpl
def tag_create(session: VmwareSession, guest_id: str, name: str) -> list[str]:
    """Add a tag to a guest, as the last line of its notes."""
    tag = name.strip()
    return tags_in(_change(session, guest_id, lambda notes: with_tag(notes, tag)))


@hookimpl
def tag_delete(session: VmwareSession, guest_id: str, name: str) -> None:
    """Remove a tag from a guest. All other lines of its notes stay as they are."""
    tag = name.strip()

    def without(notes: str) -> str:
        if tag not in tags_in(notes):
            raise EntityNotFound("Tag", name)
        return without_tag(notes, tag)

    _change(session, guest_id, without)


def _change(session: VmwareSession, guest_id: str, change: Callable[[str], str]) -> str:
    """Change a guest's notes, and return them. vSphere rejects a change of notes that others have changed.

    :raises Busy: others keep changing the guest
    """
    for _ in range(_ATTEMPTS):
        vm = find_guest(session, guest_id, VmNotes)
        require_changeable(vm, f"change the tags of guest {vm.name!r}")
        notes = change(vm.annotation)
        if notes == vm.annotation:
            return notes
        spec = vim.vm.ConfigSpec(annotation=notes, changeVersion=vm.change_version)
        try:
            session.tasks.run(session.vm(vm).ReconfigVM_Task, spec)
        except Fault as fault:
            if not fault.is_a("ConcurrentAccess"):
                raise
        else:
            return notes
    raise Busy("others are changing the guest: try again later")
