"""Values that may be unknown, where a test needs them to be known."""

from typing import TypeVar

T = TypeVar("T")


def known(value: T | None) -> T:
    """Return a value that is not None."""
    assert value is not None, "the value is unknown"
    return value
