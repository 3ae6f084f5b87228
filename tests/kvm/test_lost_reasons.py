"""Errors that libvirt gave no reason for: nothing follows from them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    MIB,
    Credentials,
    DiskCreate,
    GuestCreate,
    GuestUpdate,
    HypervisorError,
    HypervisorUnavailable,
    NewDisk,
    SimplestackError,
    Target,
)
from simplestack_kvm import errors
from simplestack_kvm import session as sessions
from simplestack_kvm.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_kvm.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_start
from simplestack_kvm.libvirtd.connection.lookups import find_pool
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import find_domain
from simplestack_kvm.libvirtd.guests.naming import is_taken
from simplestack_kvm.libvirtd.guests.records import DomainRecord
from simplestack_kvm.libvirtd.networks.addresses import AddressBook
from simplestack_kvm.libvirtd.storage.storages import choose_pool
from simplestack_kvm.libvirtd.storage.volumes import find_volume, look_up_volume
from simplestack_kvm.settings import KvmSettings

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def reason_lost(function: str) -> AbstractContextManager[None]:
    """Clear libvirt's last error when one of its functions returns, before libvirt-python can read it."""
    return after(function, libvirt.virResetLastError)


def failing_once(function: str) -> AbstractContextManager[None]:
    """Let one of libvirt's functions do what it does, and then fail without a reason, the first time."""

    def fail() -> None:
        libvirt.virResetLastError()
        raise libvirt.libvirtError(f"{function}() failed")

    return after(function, fail, nth=1)


Search = Callable[[KvmSession, "libvirt.virDomain"], object]

#: Functions of libvirt's, and what asks with them for something that is not there.
SEARCHES: list[tuple[str, Search]] = [
    ("virDomainLookupByUUIDString", lambda session, _: find_domain(session, UNKNOWN)),
    ("virDomainLookupByName", lambda session, _: is_taken(session, "none")),
    ("virStoragePoolLookupByUUIDString", lambda session, _: find_pool(session, UNKNOWN)),
    ("virNetworkLookupByName", lambda session, domain: address_of(session, domain, "none")),
    ("virDomainInterfaceAddresses", lambda session, domain: address_of(session, domain, None)),
    ("virStorageVolLookupByPath", lambda session, _: look_up_volume(session, "/nonexistent", None)),
    ("virStorageVolLookupByName", lambda session, _: find_image(session, "none")),
    ("virStorageVolLookupByPath", lambda session, domain: guest_info(session, domain.UUIDString())),
    ("virStorageVolLookupByPath", lambda session, domain: disk_list(session, domain.UUIDString())),
]
#: The same, and reads of what is there.
READS: list[tuple[str, Search]] = [
    *SEARCHES,
    ("virDomainGetXMLDesc", lambda session, domain: guest_info(session, domain.UUIDString())),
    ("virDomainGetState", lambda session, domain: guest_info(session, domain.UUIDString())),
    ("virConnectGetAllDomainStats", lambda session, _: guest_list(session, frozenset({"id"}))),
]


def address_of(session: KvmSession, domain: "libvirt.virDomain", network: str | None) -> str | None:
    """Ask for the address of a guest with one interface."""
    record = DomainRecord(
        uuid=UNKNOWN,
        name="",
        cpus=1,
        memory_mib=0,
        disks=(),
        interfaces=(("52:54:00:00:00:01", network),),
        agent_connected=False,
    )
    return AddressBook(session).address(domain, record)


def find_image(session: KvmSession, name: str) -> object:
    return find_volume(session, name, "Image", choose_pool(session, None))


@pytest.fixture
def broken_pool(session: KvmSession, libvirtd: Libvirtd) -> Iterator[None]:
    """Make a pool that cannot be refreshed."""
    folder = libvirtd.folder / "pool-broken"
    folder.mkdir()
    pool = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>broken</name><target><path>{folder}</path></target></pool>"
    )
    folder.rmdir()
    yield
    with suppress(libvirt.libvirtError):  # libvirt gives up a pool whose refresh fails
        pool.destroy()


@pytest.mark.usefixtures("broken_pool")
@pytest.mark.parametrize(
    ("function", "search"),
    [*SEARCHES, ("virStoragePoolRefresh", lambda session, _: find_image(session, "none"))],
)
def test_an_error_without_a_reason_is_not_taken_for_something_that_is_not_there(
    session: KvmSession, function: str, search: Search
) -> None:
    with foreign(session.connection, file_disk("/nonexistent/disk", "sda", "sata")) as domain:
        with reason_lost(function), pytest.raises(libvirt.libvirtError) as caught:
            search(session, domain)
        error = errors.translate(caught.value)
        assert type(error) is HypervisorError
        assert error.message.startswith(f"libvirt failed without a reason ({function}() failed)")
        assert error.details == {}


@pytest.mark.parametrize(("function", "search"), READS)
def test_a_read_that_fails_without_a_reason_is_asked_again(
    session: KvmSession, function: str, search: Search
) -> None:
    with foreign(session.connection, file_disk("/nonexistent/disk", "sda", "sata")) as domain:
        expected = outcome(session, domain, search)
        with failing_once(function):
            assert outcome(session, domain, search) == expected


def outcome(session: KvmSession, domain: "libvirt.virDomain", search: Search) -> object:
    """Return what a search returns, or the error that it raises."""
    try:
        return search(session, domain)
    except (libvirt.libvirtError, SimplestackError) as error:
        return type(error), str(error)


def test_a_change_that_fails_without_a_reason_is_not_repeated(session: KvmSession) -> None:
    attempts = []

    def lose() -> None:
        attempts.append("start")
        libvirt.virResetLastError()

    with (
        foreign(session.connection, file_disk("/nonexistent/disk", "sda", "sata")) as domain,
        after("virDomainCreate", lose),
        pytest.raises(libvirt.libvirtError, match=r"virDomainCreate\(\) failed"),
    ):
        guest_start(session, domain.UUIDString())
    assert attempts == ["start"]


def test_a_guest_that_was_made_without_libvirt_saying_so_keeps_its_disks(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    wanted = GuestCreate(name="lost-define", memory=32, storage=libvirtd.pool, disks=[NewDisk(size=0.01)])
    with failing_once("virDomainDefineXML"):
        made = guest_create(session, wanted)
    assert guest_info(session, made.id) == made
    (disk,) = disk_list(session, made.id)
    assert Path(str(disk.extra_info)).exists()
    guest_delete(session, made.id)


def test_a_guest_that_cannot_be_defined_leaves_nothing_though_the_reason_is_lost(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    files = set(libvirtd.pool_folder.iterdir())
    # libvirt rejects the name, which the plugin lets through.
    wanted = GuestCreate(name="tab\tin-name\n", memory=32, storage=libvirtd.pool, disks=[NewDisk(size=0.01)])
    with reason_lost("virDomainDefineXML"), pytest.raises(libvirt.libvirtError, match="virDomainDefineXML"):
        guest_create(session, wanted)
    assert set(libvirtd.pool_folder.iterdir()) == files


def test_a_guest_that_was_renamed_without_libvirt_saying_so_is_shown_with_its_new_name(
    session: KvmSession,
) -> None:
    with foreign(session.connection) as domain:
        with failing_once("virDomainRename"):
            shown = guest_update(session, domain.UUIDString(), GuestUpdate(name="lost-rename"))
        assert shown.name == "lost-rename"


def test_a_disk_that_was_attached_without_libvirt_saying_so_keeps_its_volume(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    wanted = DiskCreate(size=0.01, storage_id=libvirtd.pool)
    with foreign(session.connection) as domain:
        with failing_once("virDomainAttachDeviceFlags"), pytest.raises(HypervisorError) as caught:
            disk_create(session, domain.UUIDString(), wanted)
        assert "is kept: it is a disk of the guest" in caught.value.message
        assert "by hand" not in caught.value.message
        (disk,) = disk_list(session, domain.UUIDString())
        assert Path(str(disk.extra_info)).exists()
        disk_delete(session, domain.UUIDString(), disk.id)


def test_a_disk_that_could_not_be_attached_leaves_no_volume_though_the_reason_is_lost(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    files = set(libvirtd.pool_folder.iterdir())
    with foreign(session.connection) as domain:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        uuid = domain.UUIDString()

        def fill() -> None:
            for _ in range(20):  # it was not made with free ports for so many
                disk_create(session, uuid, DiskCreate(size=0.01, storage_id=libvirtd.pool))

        with reason_lost("virDomainAttachDeviceFlags"), pytest.raises(libvirt.libvirtError):
            fill()
        domain.destroy()
        for disk in disk_list(session, uuid):
            disk_delete(session, uuid, disk.id)
    assert set(libvirtd.pool_folder.iterdir()) == files


def test_a_login_that_fails_without_a_reason_is_not_taken_for_a_wrong_password(libvirtd: Libvirtd) -> None:
    target = Target("localhost", libvirtd.tcp_port)
    with (
        reason_lost("virConnectOpenAuth"),
        pytest.raises(HypervisorUnavailable, match="without a reason"),
    ):
        sessions.connect(target, Credentials(libvirtd.username, "wrong"), KvmSettings(transport="tcp"))


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        # It succeeds: there is no reason to be lost.
        ("virDomainUndefineFlags", r"cannot remove directory '\(a file on the host\)': Directory not empty"),
        ("virStorageVolDelete", r"libvirt failed without a reason \(virStorageVolDelete\(\) failed\)"),
    ],
)
def test_a_volume_that_stays_when_its_guest_is_deleted_is_named_with_the_reason(
    session: KvmSession, libvirtd: Libvirtd, lost: str, reason: str
) -> None:
    with (
        volume(session.connection, libvirtd.pool, MIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain,
    ):
        path = Path(disk.path())
        path.unlink()
        path.joinpath("file").mkdir(parents=True)  # libvirt deletes no folder that has something in it
        with (
            reason_lost(lost),
            pytest.raises(HypervisorError, match=rf"volumes simplestack-test/{disk.name()} \({reason}\):"),
        ):
            guest_delete(session, domain.UUIDString())
        path.joinpath("file").rmdir()
