"""The operations without HTTP."""

from pathlib import Path

import pytest

from simplestack import (
    DiskCreate,
    EntityNotFound,
    GuestCreate,
    GuestState,
    HypervisorNotFound,
    InvalidArguments,
    InvalidState,
    Stack,
    Unauthorized,
)
from simplestack.config.errors import SettingsError


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "simplestack.toml"
    config.write_text(f"[hypervisors.mock]\ndatabase = '{tmp_path}/mock.sqlite3'\nallowed_hosts = ['demo']")
    monkeypatch.setenv("SIMPLESTACK_CONFIG", str(config))


def test_a_script_makes_the_same_calls(tmp_path: Path) -> None:
    config = tmp_path / "simplestack.toml"
    with Stack("mock", "demo", "admin", "secret", config=config) as stack:
        made = stack.guest_create(GuestCreate(name="scripted", memory=64))
        assert made in stack.guest_list()
        assert [guest.name for guest in stack.guest_list(fields=["id", "name"])] == [
            guest.name for guest in stack.guest_list()
        ]
        disk = stack.disk_create(made.id, DiskCreate(size=1))
        assert stack.disk_info(guest_id=made.id, disk_id=disk.id) == disk
        stack.guest_start(made.id)
        assert stack.guest_info(made.id).state is GuestState.STARTED
        with pytest.raises(InvalidState):
            stack.guest_delete(made.id)
        stack.guest_shutdown(made.id, force=True)
        exported = b"".join(stack.guest_export(made.id).chunks)
        assert exported[257:262] == b"ustar"
        stack.guest_delete(made.id)
        with pytest.raises(EntityNotFound, match=f"Guest:{made.id} not found"):
            stack.guest_info(made.id)
        with pytest.raises(TypeError, match="missing a required argument: 'guest_id'"):
            stack.guest_info()  # type: ignore[call-arg]  # that it fails is the point


def test_it_refuses_what_the_service_refuses(tmp_path: Path) -> None:
    config = tmp_path / "simplestack.toml"
    with pytest.raises(HypervisorNotFound, match="did you mean 'mock'"):
        Stack("mok", "demo", "u", "p", config=config)
    with pytest.raises(InvalidArguments):
        Stack("mock", "a/b", "u", "p", config=config)
    with pytest.raises(Exception, match="not in allowed_hosts"):
        Stack("mock", "other", "u", "p", config=config).pool_info()
    config.write_text("[server]\nbnid = 1")
    with pytest.raises(SettingsError, match="bnid"):
        Stack("mock", "demo", "u", "p", config=tmp_path / "." / ".." / tmp_path.name / config.name)


@pytest.mark.parametrize("pair", [("admin", "pa55\udc80"), ("admin\ud800", "pa55")])
def test_credentials_that_no_client_could_send_are_rejected(pair: tuple[str, str]) -> None:
    with pytest.raises(Unauthorized, match="half of a surrogate pair"):
        Stack("mock", "demo", *pair)


def test_a_body_that_no_client_could_send_is_rejected_without_its_text() -> None:
    with Stack("mock", "demo", "admin", "secret") as stack, pytest.raises(InvalidArguments) as rejected:
        stack.guest_create(GuestCreate(name="a", memory=64, user_data="pa55\ud800"))
    assert rejected.value.message == "`guest` has half of a surrogate pair in a field"
    assert rejected.value.__suppress_context__


@pytest.mark.parametrize("text", ["a\ud800", "a\0b", "x" * 1025])
def test_an_id_that_no_client_could_send_is_rejected(text: str) -> None:
    with Stack("mock", "demo", "admin", "secret") as stack:
        with pytest.raises(InvalidArguments, match="`guest_id`: "):
            stack.guest_info(text)
        (guest, *_) = stack.guest_list()
        with pytest.raises(InvalidArguments, match="`name`: "):
            stack.tag_create(guest.id, name=text)
