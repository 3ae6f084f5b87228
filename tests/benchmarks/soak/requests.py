"""Single requests to a hypervisor, each with what its response must be."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.soak.http_client import Response

#: Looks at the JSON of a success; returns what is wrong with it, or nothing.
Check = Callable[[Any], str]

_STATES = {"STARTED", "STOPPED", "PAUSED"}
_FIELDS = ("id", "name", "state")
LIST_PATH = f"/guests?fields={','.join(_FIELDS)}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request below the path of a hypervisor."""

    operation: str
    method: str
    path: str
    #: The status of a success.
    status: int
    body: Any = None
    #: Looks at the shape of a success.
    check: Check = lambda _: ""
    #: Looks at what a success says of the hypervisor's state, where that is known.
    check_state: Check = lambda _: ""
    #: What statuses mean that cannot be, by what was answered before.
    impossible: Mapping[int, str] = field(default_factory=dict)

    def wrong(self, response: Response, *, state_is_known: bool) -> str:
        """Return what is wrong with a response, or nothing."""
        if response.status in self.impossible:
            return self.impossible[response.status] if state_is_known else ""
        value = response.json
        if response.status >= 400:
            problem = _wrong_error(value)
        elif response.status != self.status:
            problem = f"status {response.status} instead of {self.status}"
        elif response.status == 204:
            problem = "a body with 204" if response.body else ""
        else:
            problem = self.check(value)
        if not problem and state_is_known and response.status == self.status:
            problem = self.check_state(value)
        return problem


def pool_info() -> Request:
    """Show the pool."""

    def check(pool: Any) -> str:
        numbers = ("used_memory", "total_memory")
        is_right = (
            _has(pool, id=str, master=str, software_info=dict)
            and all(isinstance(pool.get(name), int | float) for name in numbers)
            and isinstance(pool["software_info"].get("version"), str)
        )
        return "" if is_right else f"not a pool: {pool!r:.200}"

    return Request("pool_info", "GET", "", 200, check=check)


def guest_list(known: Collection[str]) -> Request:
    """List guests with a few fields.

    :param known: guests that exist
    """

    def check(guests: Any) -> str:
        if not isinstance(guests, list):
            return f"not a list: {guests!r:.200}"
        odd = [found for found in guests if not isinstance(found, dict) or found.keys() != set(_FIELDS)]
        return f"not the fields that were asked for: {odd[0]!r:.200}" if odd else ""

    def check_state(guests: Any) -> str:
        missing = set(known) - {found["id"] for found in guests}
        return f"guests that exist are missing: {sorted(missing)[:3]}" if missing else ""

    return Request("guest_list", "GET", LIST_PATH, 200, check=check, check_state=check_state)


def guest_info(guest: str, *, state: str | None = None, missing: str = "") -> Request:
    """Show a guest.

    :param state: the power state that it must have
    :param missing: what it means if there is no such guest
    """

    def check(found: Any) -> str:
        return _wrong_guest(found, id=guest)

    def check_state(found: Any) -> str:
        is_right = state is None or found["state"] == state
        return "" if is_right else f"{state} was confirmed before, and the guest is {found['state']}"

    return Request(
        "guest_info",
        "GET",
        f"/guests/{guest}",
        200,
        check=check,
        check_state=check_state,
        impossible=_impossible(missing),
    )


def guest_gone(guest: str) -> Request:
    """Look for a guest that was deleted."""
    still_there = "guest_delete was confirmed, and the guest still exists"
    return Request("guest_info (deleted)", "GET", f"/guests/{guest}", 404, impossible={200: still_there})


def disk_list(guest: str) -> Request:
    """List the disks of a guest, which has at least one."""

    def check(disks: Any) -> str:
        is_right = isinstance(disks, list) and disks and all(_has(disk, id=str, name=str) for disk in disks)
        return "" if is_right else f"not a list of disks: {disks!r:.200}"

    return Request("disk_list", "GET", f"/guests/{guest}/disks", 200, check=check)


def guest_create(name: str) -> Request:
    """Create a guest with one small disk."""
    body = {"name": name, "memory": 64, "disks": [{"size": 1}]}
    return Request(
        "guest_create", "POST", "/guests", 201, body, check=lambda found: _wrong_guest(found, name=name)
    )


def guest_delete(guest: str, *, missing: str = "") -> Request:
    """Delete a guest.

    :param missing: what it means if there is no such guest
    """
    return Request("guest_delete", "DELETE", f"/guests/{guest}", 204, impossible=_impossible(missing))


def power(guest: str, state: str, *, missing: str = "") -> Request:
    """Change the power state of a guest.

    :param missing: what it means if there is no such guest
    """
    expected = {"action": state, "message": "ok"}

    def check(found: Any) -> str:
        return "" if found == expected else f"not {expected}: {found!r:.200}"

    body, impossible = {"state": state}, _impossible(missing)
    path = f"/guests/{guest}/power"
    return Request("power_guest", "PUT", path, 200, body, check=check, impossible=impossible)


def tag_create(guest: str, name: str, *, missing: str) -> Request:
    """Add a tag.

    :param missing: what it means if there is no such guest
    """

    def check(tags: Any) -> str:
        return "" if isinstance(tags, list) and name in tags else f"no list with {name!r}: {tags!r:.200}"

    body, impossible = {"name": name}, _impossible(missing)
    path = f"/guests/{guest}/tags"
    return Request("tag_create", "POST", path, 201, body, check=check, impossible=impossible)


def tag_delete(guest: str, name: str) -> Request:
    """Remove a tag that was added."""
    impossible = _impossible("tag_create was confirmed, and the tag or its guest does not exist")
    return Request("tag_delete", "DELETE", f"/guests/{guest}/tags/{name}", 204, impossible=impossible)


def snapshot_create(guest: str, name: str, *, missing: str) -> Request:
    """Make a snapshot.

    :param missing: what it means if there is no such guest
    """

    def check(found: Any) -> str:
        return "" if _has(found, id=str) and found.get("name") == name else f"not a snapshot: {found!r:.200}"

    body, impossible = {"name": name}, _impossible(missing)
    path = f"/guests/{guest}/snapshots"
    return Request("snapshot_create", "POST", path, 201, body, check=check, impossible=impossible)


def snapshot_delete(guest: str, snapshot: str) -> Request:
    """Delete a snapshot that was made."""
    path = f"/guests/{guest}/snapshots/{snapshot}"
    impossible = _impossible("snapshot_create was confirmed, and the snapshot or its guest does not exist")
    return Request("snapshot_delete", "DELETE", path, 204, impossible=impossible)


def _impossible(missing: str) -> dict[int, str]:
    return {404: missing} if missing else {}


def _wrong_guest(found: Any, **expected: str) -> str:
    is_right = (
        _has(found, id=str, name=str)
        and found.get("state") in _STATES
        and all(found.get(name) == value for name, value in expected.items())
    )
    return "" if is_right else f"not a guest with {expected}: {found!r:.200}"


def _wrong_error(error: Any) -> str:
    return "" if _has(error, error=str, message=str, request_id=str) else f"not an error: {error!r:.200}"


def _has(value: Any, **fields: type) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(name), kind) for name, kind in fields.items())
