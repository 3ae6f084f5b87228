"""Lives of guests, from creation to deletion: what the writing half of the traffic does."""

from collections.abc import Generator
from random import Random
from typing import NamedTuple

from benchmarks.soak import requests
from benchmarks.soak.http_client import Response
from benchmarks.soak.requests import Request

#: Guests of this benchmark are named so, and no others.
PREFIX = "soak-"
#: What 404 means from the creation of a guest to its deletion.
_LOST = "guest_create was confirmed, and the guest does not exist"
#: After so many attempts a guest that cannot be deleted is left.
_DELETE_ATTEMPTS = 10

#: Yields requests, and takes the response of each; None where there was none.
Life = Generator[Request, Response | None, None]
_Step = Generator[Request, Response | None, bool]


class Guests:
    """What the lives at one hypervisor know of their guests."""

    def __init__(self) -> None:
        #: Created, as the service has confirmed, and nobody has tried to delete them yet.
        self.existing: set[str] = set()
        #: They may be there or not.
        self.deleting: set[str] = set()
        #: The service has confirmed that they were deleted.
        self.deleted: set[str] = set()

    def forget(self) -> None:
        """Know nothing: the hypervisor begins anew."""
        self.existing.clear()
        self.deleting.clear()
        self.deleted.clear()


class _Named(NamedTuple):
    """A guest in the middle of its life."""

    id: str
    name: str


def life(name: str, guests: Guests, random: Random) -> Life:
    """Create a guest, do this and that with it, and delete it. Whatever fails, the next step is deletion."""
    created = yield requests.guest_create(name)
    if created is None or created.status != 201:
        return
    guest = _Named(str(created.json["id"]), name)
    guests.existing.add(guest.id)
    shown = yield requests.guest_info(guest.id, missing=_LOST)
    if shown is not None and shown.status == 200:
        steps = [_tagged, _snapshotted, _started]
        for step in random.sample(steps, len(steps)):
            if not (yield from step(guest)):
                break
    guests.existing.discard(guest.id)
    guests.deleting.add(guest.id)
    is_deleted = yield from _deleted(guest)
    guests.deleting.discard(guest.id)
    if is_deleted:
        guests.deleted.add(guest.id)
        yield requests.guest_gone(guest.id)


def _tagged(guest: _Named) -> _Step:
    made = yield requests.tag_create(guest.id, guest.name, missing=_LOST)
    if made is None or made.status != 201:
        return False
    removed = yield requests.tag_delete(guest.id, guest.name)
    return removed is not None and removed.status == 204


def _snapshotted(guest: _Named) -> _Step:
    made = yield requests.snapshot_create(guest.id, guest.name, missing=_LOST)
    if made is None or made.status != 201:
        return False
    removed = yield requests.snapshot_delete(guest.id, str(made.json["id"]))
    return removed is not None and removed.status == 204


def _started(guest: _Named) -> _Step:
    for action, state in (("start", "STARTED"), ("force_stop", "STOPPED")):
        done = yield requests.power(guest.id, action, missing=_LOST)
        if done is None or done.status != 200:
            return False
        shown = yield requests.guest_info(guest.id, state=state, missing=_LOST)
        if shown is None or shown.status != 200:
            return False
    return True


def _deleted(guest: _Named) -> _Step:
    """Delete a guest; return whether the service has confirmed that it did."""
    missing = _LOST
    for _ in range(_DELETE_ATTEMPTS):
        response = yield requests.guest_delete(guest.id, missing=missing)
        status = None if response is None else response.status
        if status in (204, 404):
            return status == 204
        if status == 409:  # it runs: an attempt to start or to stop it had an unknown outcome
            yield requests.power(guest.id, "force_stop", missing=missing)
        else:
            missing = ""  # it may have been deleted all the same
    return False
