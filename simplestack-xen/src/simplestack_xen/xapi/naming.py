"""Keep guests' names unique, which XAPI does not do."""

import random
import time
from collections.abc import Callable

from simplestack import Conflict
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession

_ATTEMPTS = 6
#: Maximum pause before the second attempt. It doubles with each attempt.
_PAUSE_SECONDS = 0.1


def with_name(
    session: XenSession, name: str, take: Callable[[], str], give_back: Callable[[str], object]
) -> str:
    """Give a VM a name, if no other guest or template has it.

    XAPI cannot do this in one message, so other workers or services may take the name at the same time. Then
    each of them sees the others, gives the name back, and tries again after a random pause. In the end, at
    most one has it.

    :param take: creates or renames the VM, and returns its reference
    :param give_back: removes the VM, or restores its former name
    :return: the result of `take`
    :raises Conflict: another guest has this name
    """
    pause = _PAUSE_SECONDS
    for _ in range(_ATTEMPTS):
        require_free_name(session, name)
        ref = take()
        try:
            if not _others(session, name, {ref}):
                return ref
        except BaseException:
            give_back(ref)
            raise
        give_back(ref)
        time.sleep(random.uniform(0, pause))  # noqa: S311  no secret
        pause *= 2
    raise Conflict(f"other requests use the name {name!r} at the same time: try again later")


def rename(session: XenSession, vm: Vm, name: str) -> None:
    """Give a VM another name.

    :raises Conflict: another guest has this name; the VM keeps its own
    """

    def set_name(to: str) -> str:
        session.xenapi.VM.set_name_label(vm.ref, to)
        return vm.ref

    with_name(session, name, lambda: set_name(name), lambda _: set_name(vm.record.name_label))


def require_free_name(session: XenSession, name: str) -> None:
    """Check that no guest or template has a name.

    :raises Conflict: one has
    """
    if _others(session, name, set()):
        raise Conflict.of_name("guest", name)


def _others(session: XenSession, name: str, own: set[str]) -> bool:
    """Return whether another guest or template has this name. Snapshots do not count."""
    refs = session.api.read(list[str], "VM.get_by_name_label", name)
    others = [ref for ref in refs if ref not in own]
    if not others:
        return False
    return any(not vm.is_a_snapshot for vm in session.api.read_some(VmRecord, "VM", others).values())
