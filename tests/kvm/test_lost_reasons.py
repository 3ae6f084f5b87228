"""Errors that libvirt gave no reason for: nothing follows from them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import libvirt
import pytest

from simplestack import MIB, Credentials, HypervisorError, HypervisorUnavailable, Target
from simplestack_kvm import faults
from simplestack_kvm import session as sessions
from simplestack_kvm.addresses import AddressBook
from simplestack_kvm.domains import find_domain
from simplestack_kvm.guests import guest_info, guest_list
from simplestack_kvm.guests_create import is_taken
from simplestack_kvm.guests_delete import guest_delete
from simplestack_kvm.lookups import find_pool
from simplestack_kvm.records import DomainRecord
from simplestack_kvm.session import KvmSession
from simplestack_kvm.settings import KvmSettings
from simplestack_kvm.volumes import choose_pool, find_volume, look_up_volume

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after

UNKNOWN = "00000000-0000-4000-8000-000000000000"


def reason_lost(function: str) -> AbstractContextManager[None]:
    """Clear libvirt's last error when one of its functions returns, before libvirt-python can read it."""
    return after(function, libvirt.virResetLastError)


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
    ("virStoragePoolRefresh", lambda session, _: find_image(session, "none")),
    ("virDomainGetBlockInfo", lambda session, domain: guest_info(session, domain.UUIDString())),
    ("virDomainGetBlockInfo", lambda session, _: guest_list(session, frozenset({"hdd"}))),
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
@pytest.mark.parametrize(("function", "search"), SEARCHES)
def test_an_error_without_a_reason_is_not_taken_for_something_that_is_not_there(
    session: KvmSession, function: str, search: Search
) -> None:
    with foreign(session.connection, file_disk("/nonexistent/disk", "sda", "sata")) as domain:
        with reason_lost(function), pytest.raises(libvirt.libvirtError) as caught:
            search(session, domain)
        error = faults.translate(caught.value)
        assert type(error) is HypervisorError
        assert error.message.startswith(f"libvirt failed without giving a reason ({function}() failed)")
        assert error.details == {}


def test_a_login_that_fails_without_a_reason_is_not_taken_for_a_wrong_password(libvirtd: Libvirtd) -> None:
    target = Target("localhost", libvirtd.tcp_port)
    with (
        reason_lost("virConnectOpenAuth"),
        pytest.raises(HypervisorUnavailable, match="without giving a reason"),
    ):
        sessions.connect(target, Credentials(libvirtd.username, "wrong"), KvmSettings(transport="tcp"))


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        # It succeeds: there is no reason to be lost.
        ("virDomainUndefineFlags", r"cannot remove directory '\(a file on the host\)': Directory not empty"),
        ("virStorageVolDelete", r"libvirt failed without giving a reason \(virStorageVolDelete\(\) failed\)"),
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
