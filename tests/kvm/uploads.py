"""What clients upload, and what is left of it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from simplestack import Guest, GuestImport, InvalidArguments, SimplestackError
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .host_state import host_state

DESCRIBED = GuestImport(name="imported", memory=64)


class Upload:
    """A body of a request, which notes how much of it was read, and at most at once."""

    def __init__(self, content: bytes, before: Callable[[int], object] = lambda _read_bytes: None) -> None:
        """Give a body.

        :param before: called before each read with the number of bytes that will be read then
        """
        self._content = io.BytesIO(content)
        self._before = before
        self.most_bytes = 0
        self.read_bytes = 0

    def read(self, size: int, /) -> bytes:
        self._before(self.read_bytes + size)
        self.most_bytes = max(self.most_bytes, size)
        piece = self._content.read(size)
        self.read_bytes += len(piece)
        return piece


def load(
    session: KvmSession,
    libvirtd: Libvirtd,
    body: bytes | Path,
    description: GuestImport | None = DESCRIBED,
    *,
    chunked: bool = False,
) -> Guest:
    """Import a guest into the pool of the tests."""
    content = body.read_bytes() if isinstance(body, Path) else body
    size = None if chunked else len(content)
    return guest_import(session, Upload(content), size, libvirtd.pool, description)


def _load_and_delete(
    session: KvmSession,
    libvirtd: Libvirtd,
    body: bytes | Path,
    description: GuestImport | None,
    *,
    chunked: bool,
) -> None:
    """Import a guest; delete it again, so that it is in no other test's way if it should not be there."""
    guest_delete(session, load(session, libvirtd, body, description, chunked=chunked).id)


class Reject(Protocol):
    """Checks that an import is rejected with and without a length, and that nothing is left of it."""

    def __call__(
        self,
        body: bytes | Path,
        match: str,
        error: type[SimplestackError] = InvalidArguments,
        description: GuestImport | None = None,
    ) -> None: ...


def rejecting(session: KvmSession, libvirtd: Libvirtd) -> Reject:
    def rejected(
        body: bytes | Path,
        match: str,
        error: type[SimplestackError] = InvalidArguments,
        description: GuestImport | None = None,
    ) -> None:
        before = host_state(session.connection, libvirtd)
        for chunked in (False, True):
            with pytest.raises(error, match=match) as caught:
                _load_and_delete(session, libvirtd, body, description, chunked=chunked)
            assert str(libvirtd.folder) not in caught.value.message
            assert host_state(session.connection, libvirtd) == before

    return rejected
