"""Pieces of a disk that are read ahead of those that are sent."""

import threading
from collections.abc import Generator

import pytest

from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.libvirtd.storage.downloads import ReadAhead


def test_pieces_come_in_order_to_the_end() -> None:
    numbers = [b"%d" % number for number in range(100)]
    ahead = ReadAhead((piece for piece in numbers), Abandoned())
    assert list(ahead) == numbers
    assert list(ahead) == []
    ahead.close()


def test_an_error_comes_after_the_pieces_before_it() -> None:
    def pieces() -> Generator[bytes]:
        yield b"one"
        raise LookupError

    ahead = ReadAhead(pieces(), Abandoned())
    assert next(ahead) == b"one"
    for _ in range(2):
        with pytest.raises(LookupError):
            next(ahead)
    ahead.close()


def test_no_more_than_a_few_pieces_are_read_ahead() -> None:
    read: list[None] = []
    is_full = threading.Event()

    def pieces() -> Generator[bytes]:
        while True:
            read.append(None)
            if len(read) > 4:
                is_full.set()
            yield b"piece"

    ahead = ReadAhead(pieces(), Abandoned())
    assert is_full.wait(20)
    assert len(read) == 5
    ahead.close()


def test_the_connection_is_free_when_close_returns() -> None:
    has_returned = threading.Event()
    returned_early: list[bool] = []

    def pieces() -> Generator[bytes]:
        try:
            while True:
                yield b"piece"
        finally:
            returned_early.append(has_returned.wait(1))

    ahead = ReadAhead(pieces(), Abandoned())
    assert next(ahead) == b"piece"
    ahead.close()
    has_returned.set()
    assert returned_early == [False]
