"""The version of the database, in eight bytes that all processes map: reading it is no system call.

It is zero while somebody writes, and random after each write. What was read from the database under a version
is true as long as the version is the same, so that the hottest read need not ask SQLite each time. Random,
because one process may say that it is done when the next has begun already: a counter could then come back to
a number that it had before.
"""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_BYTES = 8


class Version:
    """The version of one database file."""

    def __init__(self, database: Path) -> None:
        descriptor = os.open(f"{database}.version", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if os.fstat(descriptor).st_size < _BYTES:
                os.ftruncate(descriptor, _BYTES)
            self._number = memoryview(mmap.mmap(descriptor, _BYTES)).cast("Q")
        finally:
            os.close(descriptor)

    def stable(self) -> int:
        """Return the version; 0 while somebody writes, or before anybody has."""
        return self._number[0]

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Say that what was read may be old from now on, and what is read afterwards new."""
        self._number[0] = 0
        try:
            yield
        finally:
            self._number[0] = int.from_bytes(os.urandom(_BYTES))
