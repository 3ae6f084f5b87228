"""Calls at the same time."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

Start = Callable[..., "Future[Any]"]


@contextmanager
def in_threads(count: int) -> Iterator[Start]:
    """Yield what starts a call in one of `count` threads; the block ends when all have ended."""
    with ThreadPoolExecutor(count) as executor:
        yield executor.submit
