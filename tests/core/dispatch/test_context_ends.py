"""A context can call hooks in its request alone: while the plugin's wrapper runs, in its thread."""

import threading
from collections.abc import Generator
from contextvars import Context, copy_context
from typing import Any

import pytest

from simplestack import CallContext
from support.dispatching import Hypervisor, Session

Wrapper = Generator[None, Any, Any]
Kept = tuple[Hypervisor, list[CallContext]]


def tag_list(session: Session, guest_id: str) -> list[str]:
    return []


def guest_delete(session: Session, guest_id: str) -> None:
    """Delete it, and return nothing."""


MESSAGE = r"^context\.call\('tag_list'\): works in the thread of the request, until the wrapper has ret"


@pytest.fixture
def kept() -> Kept:
    contexts: list[CallContext] = []

    def operation_call(context: CallContext) -> Wrapper:
        contexts.append(context)
        if len(contexts) == 2:
            contexts[0].call("tag_list", guest_id="1")
        return (yield)

    return Hypervisor(tag_list, guest_delete, services=(operation_call,)), contexts


def test_it_is_refused_when_the_request_has_ended(kept: Kept) -> None:
    hypervisor, contexts = kept
    hypervisor.call("guest_delete", guest_id="7")
    with pytest.raises(RuntimeError, match=MESSAGE):
        contexts[0].call("tag_list", guest_id="1")


def test_it_is_refused_in_another_request(kept: Kept) -> None:
    hypervisor, _ = kept
    hypervisor.call("guest_delete", guest_id="7", user="first")
    with pytest.raises(RuntimeError, match=MESSAGE):
        hypervisor.call("guest_delete", guest_id="7", user="second")


def test_it_is_refused_in_another_thread() -> None:
    errors: list[str] = []

    def operation_call(context: CallContext) -> Wrapper:
        def look() -> None:
            try:
                context.call("tag_list", guest_id="1")
            except RuntimeError as error:
                errors.append(str(error))

        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
        return (yield)

    Hypervisor(tag_list, guest_delete, services=(operation_call,)).call("guest_delete", guest_id="7")
    assert len(errors) == 1


def test_one_that_nobody_was_given_is_refused() -> None:
    context = CallContext(hypervisor="lab", host="h", user="u", request_id="-")
    with pytest.raises(RuntimeError, match=MESSAGE):
        context.call("tag_list", guest_id="1")


def test_it_is_refused_in_what_the_plugin_runs_after_the_request_as_if_within_it() -> None:
    copies: list[tuple[Context, CallContext]] = []

    def operation_call(context: CallContext) -> Wrapper:
        copies.append((copy_context(), context))
        return (yield)

    Hypervisor(tag_list, guest_delete, services=(operation_call,)).call("guest_delete", guest_id="7")
    ((copied, context),) = copies
    with pytest.raises(RuntimeError, match=MESSAGE):
        copied.run(context.call, "tag_list", guest_id="1")
