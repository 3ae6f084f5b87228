"""Calls at the same time, and what is called in which thread."""

import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from types import FrameType
from typing import Any
from unittest import mock

from simplestack.sessions.call_threads import CallThreads

Start = Callable[..., "Future[Any]"]


@contextmanager
def in_threads(count: int) -> Iterator[Start]:
    """Yield what starts a call in one of `count` threads; the block ends when all have ended."""
    with ThreadPoolExecutor(count) as executor:
        yield executor.submit


@contextmanager
def profiled(notice: Callable[[FrameType, str, object], None]) -> Iterator[None]:
    """Let a function notice what this thread calls, and calls that may be abandoned in threads of their own.

    Those threads are kept for later calls. One that is there already notices nothing, and one that is made
    now would never stop: so they are threads of this block alone.
    """
    with mock.patch("simplestack.sessions.time_limits._threads", CallThreads()):
        sys.setprofile(notice)
        threading.setprofile(notice)
        try:
            yield
        finally:
            threading.setprofile(None)
            sys.setprofile(None)
