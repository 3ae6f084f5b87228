"""The trace of hooks: each call in the log, with its arguments and its duration, and never a secret."""

import re
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from project.repository import code_blocks
from simplestack import EntityNotFound, Export, Guest, GuestCreate, GuestState, hookimpl
from support.dispatching import Hypervisor, Session, storage_info
from support.service import running_service

Traced = Callable[[], list[str]]
SECRET = "pa55-w0rd"
#: What differs from one run to the next, and a subclass that the mock has to itself.
CHANGING = re.compile(r"^\S+ |\[\d+\]|[\d.]+ ms|'[0-9a-f-]{36}'|(?<=returned )_Stored")


class OwnCreate(GuestCreate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """As cloud-init's user data, which has passwords in it."""

    user_data: str = ""


def guest_create(session: Session, guest: OwnCreate) -> Guest:
    return Guest(id="1", name=guest.user_data, cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)


def tag_list(session: Session, guest_id: str) -> list[str]:
    raise EntityNotFound(SECRET, guest_id)


def guest_import(session: Session, stream: Any, size: int | None, storage_id: str | None) -> Guest:
    while stream.read(100):
        pass
    return Guest(id="1", name="n", cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)


def guest_export(session: Session, guest_id: str) -> Export:
    return Export(iter([SECRET.encode()]), len(SECRET))


class Stream:
    """A client's body."""

    def __init__(self) -> None:
        self._left = [SECRET.encode()]

    def read(self, _size: int, /) -> bytes:
        return self._left.pop() if self._left else b""


@pytest.fixture
def traced(caplog: pytest.LogCaptureFixture) -> Traced:
    """Return what returns the messages of the trace, without the time that each call took."""
    caplog.set_level("INFO", "simplestack.hooks")

    def messages() -> list[str]:
        records = [record for record in caplog.records if record.name == "simplestack.hooks"]
        return [re.sub(r" in [\d.]+ ms$", "", record.getMessage()) for record in records]

    return messages


def test_each_hook_is_a_line_with_its_arguments_and_its_end(traced: Traced) -> None:
    hypervisor = Hypervisor(storage_info, tag_list, trace=True)
    hypervisor.call("storage_info", storage_id="s")
    with pytest.raises(EntityNotFound):
        hypervisor.call("tag_list", guest_id="7")
    calls = [
        ("lab: storage_info(session=Session, storage_id='s')", "returned Storage of 6 fields"),
        ("operation='storage_info', arguments={storage_id: 's'}", "returned Storage of 6 fields"),
        ("lab: tag_list(session=Session, guest_id='7')", "raised EntityNotFound"),
        ("operation='tag_list', arguments={guest_id: '7'}", "raised EntityNotFound"),
    ]
    for outer in (1, 3):
        call, end = calls[outer]
        calls[outer] = (f"services: operation_call({call}, context='admin' at lab/h)", end)
    assert traced() == [f"request -: {call} {end}" for call, end in calls]


def test_text_is_shortened_and_its_control_characters_are_escaped(traced: Traced) -> None:
    Hypervisor(storage_info, trace=True).call("storage_info", storage_id="\x1b[2J\n\x9b" + "x" * 500)
    line, _ = traced()
    assert rf"storage_id='\x1b[2J\n\x9b{'x' * 74}'...)" in line


def test_no_secret_is_in_it(traced: Traced) -> None:
    class Telling(Session):
        """Tells all, as an SDK's session may."""

        def __repr__(self) -> str:
            return self.password

    hooks = (guest_create, guest_import, guest_export, tag_list)
    hypervisor = Hypervisor(
        *hooks, trace=True, connect=lambda _target, found, _settings: Telling(1, "", found.password, "")
    )
    body = OwnCreate(name="n", memory=64, user_data=f"password: {SECRET}")
    hypervisor.call("guest_create", guest=body, password=SECRET)
    hypervisor.call("guest_import", stream=Stream(), size=9, storage_id=None, password=SECRET)
    hypervisor.call("guest_export", guest_id="1", password=SECRET).chunks.close()
    with pytest.raises(EntityNotFound, match=SECRET):
        hypervisor.call("tag_list", guest_id="1", password=SECRET)
    found = traced()
    assert len(found) == 8
    assert SECRET not in "\n".join(found)
    assert "guest_create(session=Telling, guest=OwnCreate of " in found[0]
    arguments = "session=Telling, stream=TimedUpload, size=9, storage_id=None, description=None"
    assert f"guest_import({arguments}) returned Guest of " in found[2]
    assert found[4].endswith("guest_export(session=Telling, guest_id='1') returned Export of 9 bytes")


def test_a_session_that_is_text_is_not_shown(traced: Traced) -> None:
    hypervisor = Hypervisor(tag_list, trace=True, connect=lambda _target, found, _settings: found.password)
    with pytest.raises(EntityNotFound):
        hypervisor.call("tag_list", guest_id="1", password=SECRET)
    assert traced()[0] == "request -: lab: tag_list(session=str, guest_id='1') raised EntityNotFound"


def test_a_wrapper_of_the_plugin_is_part_of_its_hook(traced: Traced) -> None:
    @hookimpl(wrapper=True, specname="storage_info")
    def refuses() -> Generator[None, Any, Any]:
        yield
        raise EntityNotFound("Storage", "s")

    with pytest.raises(EntityNotFound):
        Hypervisor(storage_info, refuses, trace=True).call("storage_info", storage_id="s")
    assert traced()[0].endswith("raised EntityNotFound")


def test_nothing_is_logged_without_the_setting(traced: Traced) -> None:
    Hypervisor(storage_info).call("storage_info", storage_id="s")
    assert traced() == []


def test_the_trace_in_the_tutorial_is_that_of_a_request(tmp_path: Path) -> None:
    with running_service(tmp_path, environment={"SIMPLESTACK_TRACE_HOOKS": "1"}) as service:
        guest = service.get("/mock/demo/guests?fields=name").json[0]["id"]
        service.get(f"/mock/demo/guests/{guest}", headers={"X-Request-Id": "tutorial"})
        lines = [line for line in service.log.splitlines() if "request tutorial: " in line]
    (shown,) = code_blocks("docs/first-hypervisor.md", "console")
    assert [CHANGING.sub("", line) for line in lines] == [
        CHANGING.sub("", line) for line in shown.splitlines()
    ]
