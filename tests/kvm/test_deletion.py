"""Deletion of guests while somebody else acts, and of what libvirt keeps beside the disks."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    MIB,
    Busy,
    EntityNotFound,
    GuestState,
    HypervisorError,
    HypervisorTimeout,
    InvalidState,
    PermissionDenied,
    SimplestackError,
    Target,
)
from simplestack_kvm import errors
from simplestack_kvm.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware import nvram as uefi_variables
from simplestack_kvm.libvirtd.storage import inventory
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .hanging import hanging_pool
from .interference import after


def test_a_guest_that_is_started_while_it_is_deleted_runs_on_and_loses_nothing(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        guest_id = domain.UUIDString()
        domain.setAutostart(1)
        # The last thing before it is undefined.
        with after("virDomainGetAutostart", domain.create), pytest.raises(InvalidState) as caught:
            guest_delete(session, guest_id)
        assert caught.value.details["current"] == "STARTED"
        assert Path(disk.path()).exists()
        assert guest_info(session, guest_id).state == GuestState.STARTED
        found = session.connection.lookupByUUIDString(guest_id)
        assert (found.isPersistent(), found.autostart()) == (1, 1)
        found.setAutostart(0)
        found.destroy()
        assert guest_info(session, guest_id).state == GuestState.STOPPED


def test_a_guest_that_is_saved_while_it_is_deleted_keeps_its_memory(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with foreign(session.connection) as domain:

        def run_and_save() -> None:
            domain.create()
            domain.managedSave()

        with after("virDomainGetAutostart", run_and_save), pytest.raises(InvalidState) as caught:
            guest_delete(session, domain.UUIDString())
        assert caught.value.details["current"] == "PAUSED"
        assert domain.hasManagedSaveImage()


def test_a_guest_that_is_gone_without_libvirt_saying_so_takes_its_volumes_along(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        path = Path(disk.path())
        with after("virDomainUndefineFlags", fail_without_reason, nth=1):
            guest_delete(session, domain.UUIDString())
        assert not path.exists()


def fail_without_reason() -> None:
    libvirt.virResetLastError()
    raise libvirt.libvirtError("virDomainUndefineFlags() failed")


def translated(hook: Callable[..., object], *arguments: object) -> None:
    """Call a hook as core does."""
    try:
        hook(*arguments)
    except libvirt.libvirtError as error:
        raise (errors.translate(error) or error) from error


@pytest.mark.parametrize(
    "function",
    [
        "virDomainGetState",
        "virDomainGetXMLDesc",
        "virStoragePoolRefresh",
        "virStorageVolLookupByPath",
        "virDomainGetAutostart",
    ],
)
def test_one_of_two_deletions_wins_and_the_other_finds_no_guest(
    session: KvmSession, libvirtd: Libvirtd, function: str
) -> None:
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
        ThreadPoolExecutor(1) as others,
    ):
        guest_id = domain.UUIDString()
        winner = KvmSession(libvirt.open(libvirtd.uri), session.settings, session.target)

        def win() -> None:
            others.submit(guest_delete, winner, guest_id).result()

        with after(function, win, nth=1), pytest.raises(EntityNotFound, match=f"Guest:{guest_id} not found"):
            translated(guest_delete, session, guest_id)
        winner.connection.close()


@pytest.mark.parametrize(
    ("code", "error"),
    [(libvirt.VIR_ERR_INTERNAL_ERROR, Busy), (libvirt.VIR_ERR_ACCESS_DENIED, PermissionDenied)],
)
def test_nothing_is_deleted_while_libvirt_looks_at_a_storage_no_more(
    session: KvmSession,
    libvirtd: Libvirtd,
    monkeypatch: pytest.MonkeyPatch,
    code: int,
    error: type[SimplestackError],
) -> None:
    def rejected(_pool: object) -> None:
        raised = libvirt.libvirtError("virStoragePoolRefresh() failed")
        raised.err = (code, libvirt.VIR_FROM_STORAGE, "nicht jetzt", 2, "", "", "", -1, -1)
        raise raised

    monkeypatch.setattr(inventory, "COPY_SECONDS", 0.1)
    monkeypatch.setattr(libvirt.virStoragePool, "refresh", rejected)
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        with pytest.raises(error):
            translated(guest_delete, session, domain.UUIDString())
        assert Path(disk.path()).exists()
        assert guest_info(session, domain.UUIDString()).state == GuestState.STOPPED


def test_nothing_is_deleted_while_a_storage_hangs_and_every_guest_is_still_listed(
    libvirtd: Libvirtd,
    settings: KvmSettings,
    session: KvmSession,
    monkeypatch: pytest.MonkeyPatch,
    until: Callable[[Callable[[], bool], float, str], None],
) -> None:
    monkeypatch.setattr(inventory, "REFRESH_SECONDS", 1.0)
    with (
        hanging_pool(session.connection, libvirtd) as pool,
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        with pool.hung():
            deleting = KvmSession(libvirt.open(libvirtd.uri), settings, Target("localhost"))
            with pytest.raises(HypervisorTimeout, match=f"storage {pool.name} does not respond"):
                guest_delete(deleting, domain.UUIDString())
            assert domain.UUIDString() in {guest.id for guest in guest_list(session, frozenset({"id"}))}
        path = Path(disk.path())
        assert path.exists()

        def is_deleted() -> bool:
            try:
                guest_delete(session, domain.UUIDString())
            except HypervisorTimeout:  # what hung has not come back yet
                return False
            return True

        until(is_deleted, 30, "the guest is deleted")
        assert not path.exists()


@pytest.fixture
def nvram(libvirtd: Libvirtd) -> Iterator[Path]:
    """Give the folder in which libvirt keeps the UEFI variables of guests."""
    folder = libvirtd.folder / "lib/qemu/nvram"
    folder.mkdir(parents=True, exist_ok=True)
    yield folder
    for path in folder.iterdir():
        path.unlink()


def uefi(variables: Path, attributes: str = "") -> str:
    """Write the part of <os> of a guest that boots by UEFI; nothing of it has to exist until it starts."""
    loader = "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>"
    return f"{loader}<nvram{attributes}>{variables}</nvram>"


def test_the_uefi_variables_that_libvirt_made_for_a_guest_go_with_it(
    session: KvmSession, warnings: list[str], nvram: Path
) -> None:
    before = len(session.connection.listAllDomains())
    with foreign(session.connection, system=uefi(nvram / "NAME_VARS.fd")) as domain:
        path = nvram / f"{domain.name()}_VARS.fd"
        path.write_bytes(b"variables")
        guest_delete(session, domain.UUIDString())
    assert not path.exists()
    assert warnings == []
    assert len(session.connection.listAllDomains()) == before


def test_what_stays_is_named_though_the_uefi_variables_cannot_be_looked_for(
    session: KvmSession,
    libvirtd: Libvirtd,
    nvram: Path,
    warnings: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable(_session: KvmSession) -> None:
        raise HypervisorError("the descriptions cannot be read")

    monkeypatch.setattr(uefi_variables, "describe_guests", unreadable)
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(
            session.connection, file_disk(disk.path(), "vda", "virtio"), system=uefi(nvram / "NAME_VARS.fd")
        ) as domain,
    ):
        with (
            after("virDomainUndefineFlags", pool.destroy, nth=1),
            pytest.raises(HypervisorError, match=disk.name()),
        ):
            guest_delete(session, domain.UUIDString())
        pool.create()
    assert warnings == ["the UEFI variables of the guest are kept: libvirt could not delete them"]


@pytest.mark.parametrize("attributes", ["", " template='{}'"])
def test_uefi_variables_that_another_guest_names_stay(
    session: KvmSession, warnings: list[str], nvram: Path, attributes: str
) -> None:
    with foreign(session.connection, system=uefi(nvram / "NAME_VARS.fd")) as domain:
        path = nvram / f"{domain.name()}_VARS.fd"
        path.write_bytes(b"variables")
        theirs = (
            uefi(nvram / "../nvram" / path.name)
            if not attributes
            else uefi(nvram / "NAME_VARS.fd", attributes.format(path))
        )
        with foreign(session.connection, system=theirs) as other:
            name = other.name()
            guest_delete(session, domain.UUIDString())
            assert path.exists()
    assert warnings == [f"the UEFI variables of the guest are kept: guest {name} uses them"]


@pytest.mark.parametrize("place", ["OVMF_VARS.fd", "nvram/OVMF_VARS.fd", "elsewhere/NAME_VARS.fd"])
def test_uefi_variables_that_libvirt_did_not_make_for_the_guest_stay(
    session: KvmSession, warnings: list[str], tmp_path: Path, place: str
) -> None:
    with foreign(session.connection, system=uefi(tmp_path / place)) as domain:
        path = tmp_path / place.replace("NAME", domain.name())
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"a template")
        guest_delete(session, domain.UUIDString())
    assert path.exists()
    assert warnings == [
        "the UEFI variables of the guest are kept: libvirt did not create them for this guest"
    ]
