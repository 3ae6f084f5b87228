"""How the bodies of some operations become calls of hooks."""

from datetime import UTC, datetime

from msgspec import UNSET

from simplestack.entities.guest import ActionResult, GuestClone, PowerRequest, RebootRequest
from simplestack.entities.media import MediaRequest
from simplestack.entities.snapshot import SnapshotCreate
from simplestack.entities.tag import TagCreate
from simplestack.operations.model import HookCall

_POWER = {
    "start": HookCall("guest_start", {}),
    "stop": HookCall("guest_shutdown", {"force": False}),
    "force_stop": HookCall("guest_shutdown", {"force": True}),
    "pause": HookCall("guest_suspend", {}),
    "resume": HookCall("guest_resume", {}),
}
#: They write the guest's memory to a storage, or read it from there.
POWER_HOOKS_THAT_MOVE_MEMORY = ("guest_suspend", "guest_resume")
POWER_HOOKS = tuple(dict.fromkeys(call.hook for call in _POWER.values()))


def power(body: PowerRequest) -> HookCall:
    """One hook for each state that can be asked for."""
    return _POWER[body.state]


def power_answer(body: PowerRequest) -> ActionResult:
    """First-generation clients read back the word they sent."""
    return ActionResult(action=body.state)


def reboot(body: RebootRequest) -> HookCall:
    """A body without ``force`` asks the guest's operating system."""
    return HookCall("guest_reboot", {"force": body.force})


def reboot_answer(_body: RebootRequest) -> ActionResult:
    """Say that it was done."""
    return ActionResult(action="reboot")


def clone(body: GuestClone) -> HookCall:
    """The hook takes the name itself."""
    return HookCall("guest_clone", {"name": body.name})


def media(body: MediaRequest) -> HookCall:
    """No name ejects."""
    if body.name:
        return HookCall("media_mount", {"name": body.name})
    return HookCall("media_unmount", {})


def snapshot(body: SnapshotCreate) -> HookCall:
    """A snapshot without a name gets the time."""
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if body.name is UNSET else body.name
    return HookCall("snapshot_create", {"name": name})


def tag(body: TagCreate) -> HookCall:
    """The hook takes the name itself."""
    return HookCall("tag_create", {"name": body.name})
