"""A hypervisor plugin's own wrappers: pluggy calls them around its implementation, and around no other's."""

import gc
import weakref
from collections.abc import Generator
from typing import Any

import pytest

from simplestack import (
    EntityNotFound,
    Guest,
    GuestState,
    GuestUpdate,
    OperationNotSupported,
    SessionExpired,
    hookimpl,
)
from simplestack.dispatch.results import WrongResult
from support.dispatching import Hypervisor, Session, storage_info
from support.service import wait_for


def guest_delete(session: Session, guest_id: str) -> None:
    """Delete it, and return nothing."""


def test_it_sees_the_arguments_that_it_names_and_the_result() -> None:
    seen: list[Any] = []

    def tag_list(session: Session, guest_id: str) -> list[str]:
        seen.append(guest_id)
        return ["own"]

    @hookimpl(wrapper=True, specname="tag_list")
    def timed(guest_id: str) -> Generator[None, Any, Any]:
        seen.append(guest_id.upper())
        result: list[str] = yield
        return [*result, "wrapped"]

    assert Hypervisor(tag_list, timed).call("tag_list", guest_id="g") == ["own", "wrapped"]
    assert seen == ["G", "g"]


def test_the_error_of_the_implementation_passes_through_it() -> None:
    def tag_list(session: Session, guest_id: str) -> list[str]:
        raise KeyError(guest_id)

    @hookimpl(wrapper=True, specname="tag_list")
    def known(guest_id: str) -> Generator[None, Any, Any]:
        try:
            return (yield)
        except KeyError:
            raise EntityNotFound("Guest", guest_id) from None

    with pytest.raises(EntityNotFound, match="Guest:7"):
        Hypervisor(tag_list, known).call("tag_list", guest_id="7")


def test_several_of_one_hook_are_called_around_each_other() -> None:
    calls: list[str] = []

    @hookimpl(wrapper=True, specname="storage_info")
    def inner() -> Generator[None, Any, Any]:
        calls.append("inner")
        return (yield)

    @hookimpl(wrapper=True, specname="storage_info", tryfirst=True)
    def outer() -> Generator[None, Any, Any]:
        calls.append("outer")
        return (yield)

    assert Hypervisor(outer, storage_info, inner).call("storage_info", storage_id="1").id == "1"
    assert calls == ["outer", "inner"]


def test_a_hook_that_returns_nothing_is_called_once_within_it() -> None:
    calls: list[str] = []

    @hookimpl(wrapper=True, specname="guest_delete")
    def logged(guest_id: str) -> Generator[None, Any, Any]:
        calls.append(guest_id)
        return (yield)

    hypervisor = Hypervisor(guest_delete, logged)
    assert hypervisor.call("guest_delete", guest_id="7") is None
    assert calls == ["7"]


def test_its_result_is_checked_as_that_of_the_implementation() -> None:
    @hookimpl(wrapper=True, specname="storage_info")
    def forgetful() -> Generator[None, Any, Any]:
        yield

    with pytest.raises(WrongResult, match="plugin 'lab': storage_info returned NoneType, expected Storage"):
        Hypervisor(storage_info, forgetful).call("storage_info", storage_id="1")


def test_the_body_is_the_type_that_the_implementation_takes() -> None:
    class Own(GuestUpdate, frozen=True, kw_only=True):
        rack: str = ""

    def guest_update(session: Session, guest_id: str, changes: Own) -> Guest:
        return Guest(id=guest_id, name="n", cpus=1, memory=1, hdd=0, state=GuestState.STOPPED)

    @hookimpl(wrapper=True, specname="guest_update")
    def logged(changes: GuestUpdate) -> Generator[None, Any, Any]:
        return (yield)

    for hooks in ((guest_update, logged), (logged, guest_update)):
        hypervisor = Hypervisor(*hooks).dispatcher.hypervisor("lab")
        assert hypervisor.bodies["guest_update"].__name__ == "Own"
        assert hypervisor.entities["guest_update"] is Guest


def test_what_is_not_implemented_is_said_to_be_so() -> None:
    hypervisor = Hypervisor(guest_delete)
    found = hypervisor.dispatcher.hypervisor("lab")
    assert (found.implements("guest_delete"), found.implements("guest_list")) == (True, False)
    with pytest.raises(OperationNotSupported):
        hypervisor.call("guest_list", fields=frozenset())


def test_what_a_hook_held_is_freed_when_its_session_has_expired() -> None:
    """A frame of pluggy refers to the error that it raises: a cycle, which only a collection would free."""

    class Handle:
        """As libvirt's."""

    handles: list[weakref.ref[Handle]] = []

    def host_list(session: Session) -> list[Any]:
        handle = Handle()
        if not handles:
            handles.append(weakref.ref(handle))
            raise SessionExpired("forgotten")
        return []

    hypervisor = Hypervisor(host_list)
    gc.collect()
    gc.disable()
    try:
        assert hypervisor.call("host_list") == []
        wait_for(lambda: handles[0]() is None, 5, "the handle to be freed without a collection")
    finally:
        gc.enable()
