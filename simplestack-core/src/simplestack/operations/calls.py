"""Choose the hook and its arguments from a request body."""

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
#: Hooks that write the guest's memory to a storage or read it from there.
POWER_HOOKS_THAT_MOVE_MEMORY = ("guest_suspend", "guest_resume")
POWER_HOOKS = tuple(dict.fromkeys(call.hook for call in _POWER.values()))


def power(body: PowerRequest) -> HookCall:
    """Return the hook for a power state."""
    return _POWER[body.state]


def power_response(body: PowerRequest) -> ActionResult:
    """Return the ``state`` of the request, which first-generation clients expect."""
    return ActionResult(action=body.state)


def reboot(body: RebootRequest) -> HookCall:
    """Return the hook that reboots a guest, with or without ``force``."""
    return HookCall("guest_reboot", {"force": body.force})


def reboot_response(_body: RebootRequest) -> ActionResult:
    """Return the response to a reboot."""
    return ActionResult(action="reboot")


def clone(body: GuestClone) -> HookCall:
    """Return the hook that clones a guest. It takes the name and the data for cloud-init."""
    return HookCall("guest_clone", {"name": body.name, "cloud_init": body.cloud_init})


def media(body: MediaRequest) -> HookCall:
    """Return the hook that inserts an image, or ejects it if the body has no name."""
    if body.name:
        return HookCall("media_mount", {"name": body.name})
    return HookCall("media_unmount", {})


def snapshot(body: SnapshotCreate) -> HookCall:
    """Return the hook that takes a snapshot. Its default name is the UTC time."""
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if body.name is UNSET else body.name
    return HookCall("snapshot_create", {"name": name})


def tag(body: TagCreate) -> HookCall:
    """Return the hook that adds a tag. It takes the name instead of the body."""
    return HookCall("tag_create", {"name": body.name})
