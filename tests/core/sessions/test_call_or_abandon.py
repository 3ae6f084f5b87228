"""Calls that plugins abandon by themselves: what of an operation may go on without them."""

import threading
from collections.abc import Callable

import pytest

from simplestack import DeadlineExceeded, call_or_abandon


def never() -> Callable[[], object]:
    raise AssertionError("the call was abandoned")


def test_what_the_call_returns_and_raises_reaches_its_caller() -> None:
    assert call_or_abandon(30, lambda: 7, never) == 7
    with pytest.raises(ZeroDivisionError):
        call_or_abandon(30, lambda: 1 / 0, never)


def test_the_end_of_an_abandoned_call_is_told() -> None:
    go_on, ended = threading.Event(), threading.Event()
    told: list[str] = []

    def on_abandon() -> Callable[[], object]:
        told.append("abandoned")
        return ended.set

    with pytest.raises(DeadlineExceeded):
        call_or_abandon(0.05, lambda: go_on.wait(30), on_abandon)
    assert (told, ended.is_set()) == (["abandoned"], False)
    go_on.set()
    assert ended.wait(30)
