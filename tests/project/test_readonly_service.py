"""The example of a service plugin: it sees every operation, and refuses those that change something."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.service import Service, running_service

GUESTS = "/mock/readonly/guests"


@pytest.fixture(scope="module")
def service(
    tmp_path_factory: pytest.TempPathFactory, install_example: Callable[[str], Path]
) -> Iterator[Service]:
    plugins = install_example("simplestack-readonly")
    with running_service(tmp_path_factory.mktemp("readonly"), plugins=plugins) as running:
        yield running


def test_reading_goes_through(service: Service) -> None:
    guests = service.get(GUESTS).json
    assert service.get(f"{GUESTS}/{guests[0]['id']}").json == guests[0]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", GUESTS, {"name": "new", "memory": 64}),
        ("PUT", f"{GUESTS}/1/power", {"state": "start"}),
        ("DELETE", f"{GUESTS}/1", None),
        ("POST", "/mock/readonly/networks", {"name": "n", "from_network": "m", "vlan": 5}),
    ],
)
def test_changing_is_refused(service: Service, method: str, path: str, body: object) -> None:
    refused = service.request(method, path, body)
    assert (refused.status, refused.error) == (403, "PermissionDenied")


def test_a_refusal_is_audited_and_changes_nothing(service: Service) -> None:
    before = service.get(GUESTS).json
    stopped = next(guest for guest in before if guest["state"] == "STOPPED")
    refused = service.delete(f"{GUESTS}/{stopped['id']}")
    assert service.get(GUESTS).json == before
    line = service.audit_of(refused.headers["x-request-id"])
    assert line["operation"] == "guest_delete"
