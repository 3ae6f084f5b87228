"""Remove what a failed operation has created, even if the connection to libvirtd is broken."""

import contextlib
import logging
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from types import TracebackType
from typing import Self

from simplestack import SimplestackError
from simplestack_kvm.libvirtd.changes.undo import with_remains
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt

#: How long a libvirtd that died may take to come back, for example by systemd.
RECONNECT_SECONDS = 10.0
_RETRY_SECONDS = 0.25

_log = logging.getLogger(__name__)

Removal = Callable[["libvirt.virConnect"], None]


class _InUseError(Exception):
    """A volume is part of a guest that was there before."""


class Leftovers:
    """What an operation makes. Leaving the ``with`` block by an error removes it, the last first.

    Add things before they are made: when a call fails, nobody may know whether it took effect. Volumes are
    looked for again on a new connection if the old one broke. What stays is named in the error.
    """

    def __init__(self, session: KvmSession) -> None:
        self._session = session
        self._removals: list[tuple[str, Removal]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        named = with_remains(error, self._remains())
        if named is not error:
            raise named from error

    def add(self, what: str, remove: Removal) -> None:
        """Add something of the operation's own making.

        :param what: for the error, if it stays
        :param remove: removes it on a connection, if it is there
        """
        self._removals.append((what, remove))

    def add_volume(
        self, pool: "libvirt.virStoragePool", name: str, user: "libvirt.virDomain | None" = None
    ) -> None:
        """Add a volume whose name is of the operation's own making.

        :param user: a domain that may already use the volume, which stays then
        """
        pool_id, user_id = pool.UUIDString(), None if user is None else user.UUIDString()

        def remove(connection: "libvirt.virConnect") -> None:
            if user_id is not None and _mentions(connection, user_id, name):
                raise _InUseError
            pool = connection.storagePoolLookupByUUIDString(pool_id)
            if connection is not self._session.connection:
                # A libvirtd that was started just now may have looked before qemu-img made the file.
                pool.refresh()
            with _missing_is_fine(libvirt.VIR_ERR_NO_STORAGE_VOL):
                pool.storageVolLookupByName(name).delete()

        self.add(f"volume {pool.name()}/{name}", remove)

    def add_domain(self, domain_id: str, name: str) -> None:
        """Add a domain whose UUID is of the operation's own making."""

        def remove(connection: "libvirt.virConnect") -> None:
            with _missing_is_fine(libvirt.VIR_ERR_NO_DOMAIN):
                domain = connection.lookupByUUIDString(domain_id)
                if domain.isActive():
                    domain.destroy()
                # Its UEFI variables are in a file that is removed by itself.
                domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)

        self.add(f"guest {name!r} ({domain_id})", remove)

    def add_network(self, network_id: str, name: str) -> None:
        """Add a network whose UUID is of the operation's own making."""

        def remove(connection: "libvirt.virConnect") -> None:
            with _missing_is_fine(libvirt.VIR_ERR_NO_NETWORK):
                network = connection.networkLookupByUUIDString(network_id)
                if network.isActive():
                    network.destroy()
                network.undefine()

        self._removals.append((f"network {name!r} ({network_id})", remove))

    def discard(self) -> None:
        """Remove everything, without an error to name what stays in: the log names it."""
        _warn(self._remains())

    def _remains(self) -> list[str]:
        """Remove everything; return sentences about what stays.

        What has the connection, and hangs, does it as soon as it no longer does.
        """
        removals, self._removals = self._removals, []
        abandoned = self._session.abandoned
        if not removals or not abandoned.is_set():
            return self._remove(removals)
        sentences = [f"{what} is removed when the host responds again" for what, _ in reversed(removals)]
        abandoned.afterwards(lambda: _warn(self._remove(removals)))
        return sentences

    def _remove(self, remaining: list[tuple[str, Removal]]) -> list[str]:
        """Remove things, and them from the list; return sentences about what stays."""
        in_use = []
        with contextlib.closing(self._connections(remaining)) as connections:
            for connection in connections:
                # The volumes of a domain that stays are still its own.
                while remaining:
                    what, remove = remaining[-1]
                    try:
                        if not _is_removed(what, remove, connection):
                            break
                    except _InUseError:
                        in_use.append(f"{what} is kept: it is a disk of the guest")
                    remaining.pop()
                if not remaining:
                    break
        return in_use + [f"{what} may be left: remove it by hand" for what, _ in reversed(remaining)]

    def _connections(self, removals: Sequence[object]) -> "Generator[libvirt.virConnect]":
        if not removals:
            return
        yield self._session.connection
        fresh = self._reconnect()
        if fresh is not None:
            try:
                yield fresh
            finally:
                with contextlib.suppress(libvirt.libvirtError):  # it is of no use any more
                    fresh.close()

    def _reconnect(self) -> "libvirt.virConnect | None":
        """Connect anew; None where the old connection is alive, or libvirt asks for the caller's password."""
        if self._session.reopen is None or self._session.connection.isAlive():
            return None
        deadline = time.monotonic() + RECONNECT_SECONDS
        while True:
            try:
                return self._session.reopen()
            except SimplestackError as error:
                if time.monotonic() >= deadline:
                    _log.warning("cannot connect to remove leftovers: %s", error.message)
                    return None
                time.sleep(_RETRY_SECONDS)


def _warn(sentences: Sequence[str]) -> None:
    for sentence in sentences:
        _log.warning("%s", sentence)


def _mentions(connection: "libvirt.virConnect", domain_id: str, name: str) -> bool:
    """Return whether a domain, running or defined, refers to a volume."""
    domain = connection.lookupByUUIDString(domain_id)
    return any(name in domain.XMLDesc(flags) for flags in (0, libvirt.VIR_DOMAIN_XML_INACTIVE))


def _is_removed(what: str, remove: Removal, connection: "libvirt.virConnect") -> bool:
    try:
        remove(connection)
    except libvirt.libvirtError as error:
        # The failure before this one matters more; what stays goes to the client with it.
        _log.warning("cannot remove %s after a failure: %s", what, error)
        return False
    return True


@contextlib.contextmanager
def _missing_is_fine(code: int) -> Iterator[None]:
    try:
        yield
    except libvirt.libvirtError as error:
        if error.get_error_code() != code:
            raise
