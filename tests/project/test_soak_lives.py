"""The guests of the soak test: when one may be missing, and when that is the service's fault."""

from random import Random

import pytest
from msgspec import json

from benchmarks.soak import lives
from benchmarks.soak.http_client import Response

GUEST = {"id": "1", "name": "soak-1", "state": "STOPPED"}


def lived(*responses: int | None) -> list[tuple[str, bool]]:
    """Go through a guest's life; return its last requests, and whether 404 would be wrong there.

    :param responses: statuses of deletions, and of what follows; None is no response
    """
    alive = lives.life("soak-1", lives.Guests(), Random(1))  # noqa: S311  to be the same again
    request = next(alive)
    asked = []
    while request.operation != "guest_delete":
        asked.append(request)
        bodies = {"guest_create": GUEST, "guest_info": GUEST, "snapshot_create": GUEST}
        request = alive.send(
            Response(request.status, {}, json.encode(bodies.get(request.operation, {"state": "STARTED"})))
        )
    asked.append(request)
    for status in responses:
        request = alive.send(None if status is None else Response(status, {}, b"{}"))
        asked.append(request)
    gone = Response(404, {}, json.encode({"error": "E", "message": "m", "request_id": "r"}))
    return [(each.operation, bool(each.wrong(gone, state_is_known=True))) for each in asked]


def test_a_guest_that_was_created_must_be_there_until_it_is_deleted() -> None:
    requests_, missing_is_wrong = zip(*lived(), strict=True)
    assert {"tag_create", "tag_delete", "snapshot_create", "snapshot_delete", "power_guest"} < {*requests_}
    assert requests_[0] == "guest_create"
    assert all(missing_is_wrong[1:])


@pytest.mark.parametrize(
    ("responses", "is_wrong"),
    [((), True), ((409, 200), True), ((409, None), True), ((None,), False), ((503,), False)],
)
def test_a_guest_may_be_gone_once_a_deletion_has_an_unknown_outcome(
    responses: tuple[int | None, ...], is_wrong: bool
) -> None:
    assert lived(*responses)[-1] == ("guest_delete", is_wrong)
