"""What a service plugin calls through its context: a hook, for the same caller, within an operation."""

import contextlib
import gc
import weakref
from collections.abc import Callable, Generator, Mapping
from typing import Any

import msgspec
import pytest

from simplestack import (
    CallContext,
    EntityNotFound,
    Export,
    Guest,
    GuestState,
    GuestUpdate,
    HypervisorSettings,
    HypervisorUnavailable,
    InvalidArguments,
    OperationNotSupported,
    PermissionDenied,
    SessionExpired,
)
from simplestack.dispatch.results import WrongResult
from support.dispatching import Hypervisor, Session
from support.service import wait_for

Wrapper = Generator[None, Any, Any]
#: One session at the host, and one call.
SINGLE = HypervisorSettings(max_sessions_per_host=1, max_calls_per_host=1, connect_timeout_seconds=0.2)


def tag_list(session: Session, guest_id: str) -> list[str]:
    return [f"session {session.number} of {session.user}", f"guest {guest_id}"]


def guest_delete(session: Session, guest_id: str) -> None:
    """Delete it, and return nothing."""


def guest_list(session: Session, fields: frozenset[str]) -> list[Guest]:
    return [
        Guest(id=name, name=name, cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)
        for name in sorted(fields & {"id", "memory"})
    ]


def calling(hook: str, **arguments: Any) -> tuple[list[Any], Callable[..., Wrapper]]:
    """Return a service plugin that calls a hook before each deletion, and what the calls return."""
    found: list[Any] = []

    def operation_call(operation: str, context: CallContext) -> Wrapper:
        if operation == "guest_delete":
            found.append(context.call(hook, **arguments))
        return (yield)

    return found, operation_call


def raised_by(hypervisor: Hypervisor, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match):
        hypervisor.call("guest_delete", guest_id="7")
    assert hypervisor.counts["busy_sessions"] == 0


def test_a_policy_looks_before_it_decides() -> None:
    deleted: list[str] = []

    def tag_list(session: Session, guest_id: str) -> list[str]:
        return ["protected"] if guest_id == "1" else []

    def guest_delete(session: Session, guest_id: str) -> None:
        deleted.append(guest_id)

    def operation_call(operation: str, arguments: Mapping[str, Any], context: CallContext) -> Wrapper:
        if operation == "guest_delete" and "protected" in context.call(
            "tag_list", guest_id=arguments["guest_id"]
        ):
            raise PermissionDenied(f"guest {arguments['guest_id']} is tagged 'protected'")
        return (yield)

    hypervisor = Hypervisor(tag_list, guest_delete, services=(operation_call,))
    raised_by_policy = pytest.raises(PermissionDenied, match="guest 1 is tagged 'protected'")
    with raised_by_policy:
        hypervisor.call("guest_delete", guest_id="1")
    assert hypervisor.call("guest_delete", guest_id="2") is None
    assert deleted == ["2"]


def test_nothing_is_connected_to_before_a_hook_is_called() -> None:
    def operation_call(context: CallContext) -> Wrapper:
        raise PermissionDenied("no")
        yield

    hypervisor = Hypervisor(guest_delete, services=(operation_call,))
    raised_by(hypervisor, PermissionDenied, "no")
    assert hypervisor.connected == []


@pytest.mark.parametrize("enforces", [True, False])
def test_it_takes_turns_with_its_operation_on_one_session_of_the_caller(enforces: bool) -> None:
    found: list[Any] = []

    def operation_call(context: CallContext) -> Wrapper:
        found.append(context.call("tag_list", guest_id="before"))
        result = yield
        found.append(context.call("tag_list", guest_id="after"))
        return result

    hypervisor = Hypervisor(
        tag_list, guest_delete, services=(operation_call,), settings=SINGLE, enforces_time_limits=enforces
    )
    hypervisor.call("guest_delete", guest_id="7", user="me")
    assert found == [["session 1 of me", "guest before"], ["session 1 of me", "guest after"]]
    assert hypervisor.counts == {"sessions": 1, "busy_sessions": 0}


def test_the_service_plugins_are_not_called_again() -> None:
    operations: list[str] = []

    def operation_call(operation: str, context: CallContext) -> Wrapper:
        operations.append(operation)
        context.call("tag_list", guest_id="1")
        return (yield)

    Hypervisor(tag_list, guest_delete, services=(operation_call,)).call("guest_delete", guest_id="7")
    assert operations == ["guest_delete"]


def test_fields_are_all_unless_some_are_named() -> None:
    for arguments, names in (({}, ["id", "memory"]), ({"fields": frozenset({"id"})}, ["id"])):
        found, service = calling("guest_list", **arguments)
        Hypervisor(guest_list, guest_delete, services=(service,)).call("guest_delete", guest_id="7")
        assert [guest.name for guest in found[0]] == names


def test_a_body_becomes_the_type_that_the_plugin_takes() -> None:
    class Own(GuestUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True):
        rack: str = "r1"

    def guest_update(session: Session, guest_id: str, changes: Own) -> Guest:
        name = f"{changes.name} in {changes.rack}"
        return Guest(id=guest_id, name=name, cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)

    for changes, name in (
        (GuestUpdate(name="web"), "web in r1"),
        ({"name": "web", "rack": "r2"}, "web in r2"),
        (Own(name="web", rack="r3"), "web in r3"),
    ):
        found, service = calling("guest_update", guest_id="1", changes=changes)
        Hypervisor(guest_update, guest_delete, services=(service,)).call("guest_delete", guest_id="7")
        assert found[0].name == name
    _, service = calling("guest_update", guest_id="1", changes={"memory": 0})
    hypervisor = Hypervisor(guest_update, guest_delete, services=(service,))
    raised_by(hypervisor, TypeError, r"context\.call\('guest_update'\): changes: .*memory")


@pytest.mark.parametrize(
    ("hook", "arguments", "message"),
    [
        ("tag_lst", {}, r"context.call: unknown hook 'tag_lst'; did you mean 'tag_list'\?"),
        ("power_guest", {}, r"context.call: unknown hook 'power_guest'"),
        (
            "tag_list",
            {"guest": "1"},
            r"context.call\('tag_list'\): unknown argument 'guest'; did you mean 'guest_id'\?",
        ),
        (
            "tag_list",
            {"guest_id": "1", "session": 1},
            r"context.call\('tag_list'\): unknown argument 'session'; the hook has guest_id",
        ),
        ("pool_info", {"pool": "1"}, "unknown argument 'pool'; the hook has no arguments"),
        ("tag_create", {"guest_id": "1"}, r"context.call\('tag_create'\): argument 'name' is missing"),
        ("guest_export", {"guest_id": "1"}, "context.call: guest_export transfers an image"),
        ("guest_import", {}, "context.call: guest_import transfers an image"),
    ],
)
def test_a_call_that_cannot_be_made_is_a_defect_in_plain_words(
    hook: str, arguments: dict[str, Any], message: str
) -> None:
    _, service = calling(hook, **arguments)
    hypervisor = Hypervisor(tag_list, guest_delete, services=(service,))
    raised_by(hypervisor, TypeError, message)
    assert hypervisor.connected == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a\ud800", "surrogate pair"), ("a\nb", "control characters"), ("x" * 1025, "more than 1024")],
)
def test_a_text_that_no_client_could_send_reaches_no_hook(text: str, reason: str) -> None:
    _, service = calling("tag_create", guest_id="1", name=text)
    hypervisor = Hypervisor(tag_list, guest_delete, services=(service,), audit=True)
    raised_by(hypervisor, InvalidArguments, f"`name`: .* has .*{reason}")
    assert hypervisor.connected == []


def test_what_the_plugin_does_not_implement_is_said_to_be_so() -> None:
    _, service = calling("tag_list", guest_id="1")
    hypervisor = Hypervisor(guest_delete, services=(service,))
    raised_by(hypervisor, OperationNotSupported, "lab does not implement tag_list")


def test_its_result_is_checked() -> None:
    def tag_list(session: Session, guest_id: str) -> Any:
        return "protected"

    _, service = calling("tag_list", guest_id="1")
    hypervisor = Hypervisor(tag_list, guest_delete, services=(service,))
    raised_by(hypervisor, WrongResult, "plugin 'lab': tag_list returned str")


def test_a_session_that_has_expired_is_replaced() -> None:
    def tag_list(session: Session, guest_id: str) -> list[str]:
        if session.number == 1:
            raise SessionExpired("forgotten")
        return [str(session.number)]

    found, service = calling("tag_list", guest_id="1")
    Hypervisor(tag_list, guest_delete, services=(service,)).call("guest_delete", guest_id="7")
    assert found == [["2"]]


def test_what_a_hook_held_is_freed_although_the_service_plugin_goes_on() -> None:
    class Handle:
        """As libvirt's."""

    handles: list[weakref.ref[Handle]] = []

    def tag_list(session: Session, guest_id: str) -> list[str]:
        handle = Handle()
        handles.append(weakref.ref(handle))
        raise EntityNotFound("Guest", guest_id)

    def operation_call(context: CallContext) -> Wrapper:
        with contextlib.suppress(EntityNotFound):
            context.call("tag_list", guest_id="1")
        return (yield)

    hypervisor = Hypervisor(tag_list, guest_delete, services=(operation_call,))
    gc.collect()
    gc.disable()
    try:
        hypervisor.call("guest_delete", guest_id="7")
        wait_for(lambda: handles[0]() is None, 5, "the handle to be freed without a collection")
    finally:
        gc.enable()


def test_an_export_keeps_its_session_from_calls_after_it() -> None:
    def guest_export(session: Session, guest_id: str) -> Export:
        return Export(iter([b"one"]), 3)

    def operation_call(context: CallContext) -> Wrapper:
        result = yield
        context.call("tag_list", guest_id="1")
        return result

    hooks = (guest_export, tag_list)
    hypervisor = Hypervisor(*hooks, services=(operation_call,), settings=SINGLE)
    with pytest.raises(HypervisorUnavailable, match="no free session at h: 1 of 1 sessions"):
        hypervisor.call("guest_export", guest_id="1")
    assert hypervisor.counts["busy_sessions"] == 0
    assert list(Hypervisor(*hooks, services=(operation_call,)).call("guest_export", guest_id="1").chunks)


def test_the_context_shows_no_password() -> None:
    shown: list[str] = []

    def operation_call(context: CallContext) -> Wrapper:
        shown.extend([repr(context), repr(msgspec.structs.asdict(context)), repr(context.call)])
        shown.append(msgspec.json.encode(context).decode())
        shown.extend(repr(getattr(context, name, None)) for name in dir(context))
        context.call("tag_list", guest_id="1")
        return (yield)

    hypervisor = Hypervisor(tag_list, guest_delete, services=(operation_call,))
    hypervisor.call("guest_delete", guest_id="7", password="pa55-w0rd")
    assert "pa55-w0rd" not in "\n".join(shown)
    assert "admin" in shown[0]
