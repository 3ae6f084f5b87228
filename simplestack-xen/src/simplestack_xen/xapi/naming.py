"""Names of guests: XAPI lets several VMs have the same one, the contract does not."""

import random
import time
from collections.abc import Callable

from simplestack import Conflict
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession

_ATTEMPTS = 6
#: The longest pause before the second attempt; it doubles from attempt to attempt.
_PAUSE_SECONDS = 0.1


def with_name(
    session: XenSession, name: str, take: Callable[[], str], give_back: Callable[[str], object]
) -> str:
    """Let a VM have a name, if no guest and no template of a user's has it.

    XAPI has no message for that, so others may take the name in the same moment, through another worker or
    another service. Then all of them see one another, give it back and try again after a while of their own:
    never do two have it in the end.

    :param take: makes the VM, or renames it, and returns its reference
    :param give_back: removes the VM, or gives it its former name
    :return: what `take` returned
    :raises Conflict: the name is taken
    """
    pause = _PAUSE_SECONDS
    for _ in range(_ATTEMPTS):
        if _others(session, name, set()):
            raise Conflict(f"there is a guest named {name!r} already: choose another name")
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
    raise Conflict(f"others take the name {name!r} at the same time: try again")


def _others(session: XenSession, name: str, own: set[str]) -> bool:
    """Tell whether another guest or template has a name. Snapshots may be called as they like."""
    refs = session.api.read(list[str], "VM.get_by_name_label", name)
    others = [ref for ref in refs if ref not in own]
    if not others:
        return False
    return any(not vm.is_a_snapshot for vm in session.api.read_some(VmRecord, "VM", others).values())
