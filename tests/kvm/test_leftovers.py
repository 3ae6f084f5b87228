"""What is left of a guest that could not be made because libvirtd died: nothing, or the error names it."""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import libvirt
import pytest

from simplestack import (
    MIB,
    Credentials,
    DiskCreate,
    Guest,
    GuestCreate,
    HypervisorUnavailable,
    NewDisk,
    SimplestackError,
    Target,
)
from simplestack.identity.accounts import hash_password
from simplestack_kvm import errors
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.disks import disk_create
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.changes import leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .conftest import require_libvirtd
from .counterparts import libvirtd as counterpart
from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after

PATIENCE_SECONDS = 60
IMAGE_BYTES = 600 * MIB

Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def mortal() -> Iterator[Libvirtd]:
    """Run a libvirtd that is started again when the test kills it."""
    require_libvirtd()
    daemon = counterpart.start(network=False)
    (daemon.folder / "restart-libvirtd").touch()
    yield daemon
    daemon.stop()


@pytest.fixture
def image(mortal: Libvirtd) -> str:
    """Give the name of an image that takes a while to copy."""
    path = mortal.pool_folder / "large.img"
    block = bytes(range(256)) * (MIB // 256)
    with path.open("wb") as file:
        for _ in range(IMAGE_BYTES // MIB):
            file.write(block)
    return path.name


def connected(daemon: Libvirtd) -> KvmSession:
    settings = KvmSettings(
        transport="unix", socket=daemon.socket, accounts={"admin": hash_password("secret")}
    )
    return sessions.connect(Target("localhost"), Credentials("admin", "secret"), settings)


def public(error: BaseException) -> SimplestackError:
    assert isinstance(error, Exception)
    known = error if isinstance(error, SimplestackError) else errors.translate(error)
    assert known is not None
    return known


def others(daemon: Libvirtd) -> list[str]:
    return sorted(path.name for path in daemon.pool_folder.iterdir() if path.name != "large.img")


@contextmanager
def killed_in_the_middle_of_a_copy(
    session: KvmSession, daemon: Libvirtd, image: str, until: Until
) -> Iterator[Future[Guest]]:
    guest = GuestCreate(name="large", memory=32, image=image, storage=daemon.pool)
    with ThreadPoolExecutor(1) as threads:
        creation = threads.submit(guest_create, session, guest)
        until(lambda: len(others(daemon)) > 0, PATIENCE_SECONDS, "the copy has begun")
        os.kill(daemon.pid(), signal.SIGKILL)
        yield creation


def test_a_copy_whose_libvirtd_is_killed_is_removed_on_a_new_connection(
    mortal: Libvirtd, image: str, until: Until
) -> None:
    session = connected(mortal)
    with killed_in_the_middle_of_a_copy(session, mortal, image, until) as creation:
        error = public(creation.exception(PATIENCE_SECONDS) or AssertionError())
    assert isinstance(error, HypervisorUnavailable)
    assert "left" not in error.message
    assert others(mortal) == []
    sessions.disconnect(session)


def test_a_copy_that_cannot_be_removed_is_named_by_its_storage_and_volume(
    mortal: Libvirtd, image: str, until: Until
) -> None:
    session = connected(mortal)
    # As where libvirtd asks for the caller's password.
    blind = KvmSession(session.connection, session.settings, session.target)
    with killed_in_the_middle_of_a_copy(blind, mortal, image, until) as creation:
        error = public(creation.exception(PATIENCE_SECONDS) or AssertionError())
    assert isinstance(error, HypervisorUnavailable)
    (left,) = others(mortal)
    assert f"volume {mortal.pool}/{left} may be left" in error.message
    assert str(mortal.folder) not in error.message
    sessions.disconnect(session)


def test_a_libvirtd_that_does_not_come_back_ends_the_search(
    mortal: Libvirtd, image: str, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "RECONNECT_SECONDS", 1.0)
    (mortal.folder / "restart-libvirtd").unlink()
    session = connected(mortal)
    with killed_in_the_middle_of_a_copy(session, mortal, image, until) as creation:
        error = public(creation.exception(PATIENCE_SECONDS) or AssertionError())
    assert "may be left" in error.message
    sessions.disconnect(session)


def test_a_guest_whose_libvirtd_is_killed_after_it_was_defined_is_removed_with_its_disks(
    mortal: Libvirtd, until: Until
) -> None:
    session = connected(mortal)
    guest = GuestCreate(name="defined", memory=32, disks=[NewDisk(size=0.1)], storage=mortal.pool)
    with (
        after("virDomainDefineXML", lambda: os.kill(mortal.pid(), signal.SIGKILL)),
        pytest.raises((libvirt.libvirtError, SimplestackError)) as caught,
    ):
        guest_create(session, guest)
    assert "left" not in public(caught.value).message
    assert others(mortal) == []
    now = libvirt.open(mortal.uri)
    assert now.listAllDomains() == []
    now.close()
    sessions.disconnect(session)


def test_a_disk_that_may_have_been_attached_when_libvirtd_died_stays_and_is_named(mortal: Libvirtd) -> None:
    session = connected(mortal)
    now = libvirt.open(mortal.uri)
    try:
        with foreign(now) as domain:

            def die() -> None:
                os.kill(mortal.pid(), signal.SIGKILL)
                raise HypervisorUnavailable("the connection broke")

            with (
                after("virDomainAttachDeviceFlags", die),
                pytest.raises(HypervisorUnavailable) as caught,
            ):
                disk_create(session, domain.UUIDString(), DiskCreate(size=0.1, storage_id=mortal.pool))
            (left,) = others(mortal)
            assert f"volume {mortal.pool}/{left} is kept: it is a disk of the guest" in caught.value.message
    finally:
        sessions.disconnect(session)
        now.close()


def test_a_session_keeps_no_password(libvirtd: Libvirtd) -> None:
    settings = KvmSettings(transport="tcp")
    target = Target("localhost", libvirtd.tcp_port)
    session = sessions.connect(target, Credentials(libvirtd.username, libvirtd.password), settings)
    assert session.reopen is None
    sessions.disconnect(session)
