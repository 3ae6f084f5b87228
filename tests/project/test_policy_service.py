"""The example of a service plugin: it rejects deletions of guests by tag and by time of the day."""

import importlib.util
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from project.repository import ROOT
from support.service import Service, running_service

GUESTS = "/mock/policy/guests"


@pytest.fixture(scope="module")
def plugins(install_example: Callable[[str], Path]) -> Path:
    return install_example("simplestack-policy")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, plugins: Path) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("policy"), plugins=plugins) as running:
        yield running


@pytest.fixture
def guest(service: Service) -> str:
    """Give the path of a guest that is off."""
    return create(service)


def create(service: Service) -> str:
    made = service.post(GUESTS, {"name": "made", "memory": 64})
    assert made.status == 201, made
    return made.headers["location"]


def test_a_guest_without_the_tag_is_deleted(service: Service, guest: str) -> None:
    assert service.post(f"{guest}/tags", {"name": "other"}).status == 201
    assert service.delete(guest).status == 204
    assert service.get(guest).status == 404


def test_a_protected_guest_is_not_deleted_and_the_reason_is_told(service: Service, guest: str) -> None:
    assert service.post(f"{guest}/tags", {"name": "protected"}).status == 201
    answer = service.delete(guest)
    assert (answer.status, answer.error) == (403, "PermissionDenied")
    reason = f"guest {guest.rpartition('/')[2]} is tagged 'protected': remove the tag first"
    assert answer.json["message"] == reason
    assert service.get(guest).status == 200
    identity = answer.headers["x-request-id"]
    lines = {line["operation"]: line for line in service.audit if line["request_id"] == identity}
    assert lines["tag_list"]["nested_in"] == "guest_delete"
    assert lines["guest_delete"]["outcome"] == "PermissionDenied"
    assert lines["guest_delete"]["reason"] == reason
    assert service.delete(f"{guest}/tags/protected").status == 204
    assert service.delete(guest).status == 204


def test_an_unknown_guest_is_not_found(service: Service) -> None:
    assert service.delete(f"{GUESTS}/42").error == "EntityNotFound"


def window(start: timedelta, end: timedelta) -> str:
    """Return settings with a window, as times from now on."""
    now = datetime.now().astimezone()
    begins, ends = ((now + moment).time().isoformat("seconds") for moment in (start, end))
    return f"[services.policy]\ndelete_from = {begins}\ndelete_until = {ends}\n"


def test_outside_of_the_window_no_guest_is_deleted(tmp_path: Path, plugins: Path) -> None:
    hours = timedelta(hours=1)
    with running_service(tmp_path / "closed", window(2 * hours, 3 * hours), plugins=plugins) as service:
        guest = create(service)
        answer = service.delete(guest)
        assert (answer.status, answer.error) == (403, "PermissionDenied")
        assert answer.json["message"].startswith("guests can be deleted from ")
        assert service.get(guest).status == 200
    with running_service(tmp_path / "open", window(-hours, 2 * hours), plugins=plugins) as service:
        assert service.delete(create(service)).status == 204


def test_a_time_that_could_not_be_compared_is_rejected_with_the_settings(policy: ModuleType) -> None:
    settings = policy.plugin.settings
    assert msgspec.convert({"delete_from": "08:00:00"}, settings).delete_from == time(8)
    for name in ("delete_from", "delete_until"):
        with pytest.raises(msgspec.ValidationError, match=name):
            msgspec.convert({name: "08:00:00+02:00"}, settings)


@pytest.fixture(scope="module")
def policy() -> ModuleType:
    path = ROOT / "examples/simplestack-policy/src/simplestack_policy/__init__.py"
    spec = importlib.util.spec_from_file_location("policy_of_the_example", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("start", "now", "end", "is_inside"),
    [
        (time(8), time(8), time(9), True),
        (time(8), time(9), time(9), False),
        (time(8), time(7, 59), time(9), False),
        (time(20), time(23), time(6), True),
        (time(20), time(5), time(6), True),
        (time(20), time(12), time(6), False),
        (time(0), time(12), time(0), True),
    ],
)
def test_a_window_may_include_midnight(
    policy: ModuleType, start: time, now: time, end: time, *, is_inside: bool
) -> None:
    assert policy.is_between(start, now, end) is is_inside


def test_the_whole_plugin_is_short() -> None:
    (module,) = (ROOT / "examples/simplestack-policy/src/simplestack_policy").glob("*.py")
    assert len(module.read_text().splitlines()) < 60
