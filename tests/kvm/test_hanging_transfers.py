"""Imports and exports whose storage hangs: an error in time, and nothing is left when it responds again."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from simplestack import MIB, GuestImport, HypervisorTimeout, InvalidArguments
from simplestack.dispatch.streams import close_chunks
from simplestack.sessions.time_limits import Deadline, current_deadline
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.guests_export import guest_export
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign
from .hanging import PATIENCE_SECONDS, HangingPool, hanging_pool, in_time
from .uploads import Upload

LIMIT_SECONDS = 3.0
DESCRIBED = GuestImport(name="hanging", memory=32)
#: More than what is on its way between the client and the storage.
LARGE = os.urandom(48 * MIB)

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def hanging(session: KvmSession, libvirtd: Libvirtd) -> Iterator[HangingPool]:
    with hanging_pool(session.connection, libvirtd) as pool:
        yield pool


@contextmanager
def limited() -> Iterator[None]:
    token = current_deadline.set(Deadline(LIMIT_SECONDS))
    try:
        yield
    finally:
        current_deadline.reset(token)


@pytest.fixture
def import_into(
    libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool
) -> Callable[[Callable[[int], None]], None]:
    """Give what imports a guest into the pool, with something that happens before each read."""

    def load(before: Callable[[int], None], session: KvmSession) -> None:
        with limited():
            guest_import(session, Upload(LARGE, before), None, hanging.name, DESCRIBED)

    return lambda before: in_time(libvirtd, settings, partial(load, before))


def threads() -> list[str]:
    names = ("simplestack-kvm-upload", "simplestack-kvm-download")
    return [each.name for each in threading.enumerate() if each.name in names]


def volumes(pool: HangingPool) -> list[str]:
    return sorted(path.name for path in pool.folder.with_name(f"{pool.name}-files").iterdir())


def require_recovered(pool: HangingPool, until: Until) -> None:
    """Check that nothing is left of an import, and nothing waits."""
    until(lambda: not threads(), PATIENCE_SECONDS, "the thread that was given up ends")
    assert volumes(pool) == ["disk.qcow2"]


@pytest.mark.parametrize("at_bytes", [24 * MIB, len(LARGE)], ids=["in the middle", "at the end"])
@pytest.mark.parametrize("breaks_off", [False, True], ids=["", "the client goes away"])
def test_an_import_into_a_storage_that_hangs_ends_in_time_and_is_undone_later(
    import_into: Callable[[Callable[[int], None]], None],
    hanging: HangingPool,
    until: Until,
    at_bytes: int,
    breaks_off: bool,
) -> None:
    is_hung = threading.Event()

    def hang(read_bytes: int) -> None:
        if read_bytes > at_bytes and not is_hung.is_set():
            is_hung.set()
            stack.enter_context(hanging.hung())
            if breaks_off:
                raise InvalidArguments("the body broke off")

    with ExitStack() as stack:
        with pytest.raises(InvalidArguments if breaks_off else HypervisorTimeout) as caught:
            import_into(hang)
        (name,) = set(volumes(hanging)) - {"disk.qcow2"}
        assert f"{hanging.name}/{name} is removed when the host responds again" in caught.value.message
        assert threads() == ["simplestack-kvm-upload"]
    require_recovered(hanging, until)


def test_an_export_from_a_storage_that_hangs_ends_in_time(
    session: KvmSession, libvirtd: Libvirtd, settings: KvmSettings, hanging: HangingPool, until: Until
) -> None:
    (hanging.folder.with_name(f"{hanging.name}-files") / "disk.raw").write_bytes(LARGE)
    session.connection.storagePoolLookupByName(hanging.name).refresh()
    disk = file_disk(str(hanging.folder / "disk.raw"), "vda", "virtio").replace("'qcow2'", "'raw'")
    outcomes: list[str] = []

    def save(own: KvmSession) -> None:
        export = guest_export(own, domain.UUIDString())
        chunks = iter(export.chunks)
        with limited(), hanging.hung():
            with pytest.raises(HypervisorTimeout, match="does not respond"):
                for _chunk in chunks:
                    pass
            outcomes.append("timeout")
            close_chunks(chunks)
            outcomes.append("closed")
            assert not sessions.check(own)

    with foreign(session.connection, disk) as domain:
        in_time(libvirtd, settings, save)
    assert outcomes == ["timeout", "closed"]
    until(lambda: not threads(), PATIENCE_SECONDS, "the thread that was given up ends")
