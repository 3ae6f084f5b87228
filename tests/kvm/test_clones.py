"""Clones on a real libvirtd: what they could share with their guest, reveal or leave."""

import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack import (
    GIB,
    Busy,
    Conflict,
    DiskUpdate,
    Guest,
    GuestState,
    InvalidArguments,
    InvalidState,
)
from simplestack_kvm.hooks.disks import disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_info
from simplestack_kvm.hooks.power import guest_start
from simplestack_kvm.hooks.snapshots import snapshot_create, snapshot_list, snapshot_revert
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .image_guests import Pool, alone, qcow2, traces
from .interference import after
from .snapshot_guests import a_guest, domain_of, has, paths, write


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


def a_name() -> str:
    return f"clone {uuid.uuid4().hex[:8]} <&>"


def test_a_clone_shares_nothing_that_is_written(session: KvmSession, guest: Guest) -> None:
    theirs = paths(session, guest)
    for number, path in enumerate(theirs, 1):
        write(path, number)
    disk_update(session, guest.id, "vdb", DiskUpdate(name="data"))
    snapshot_create(session, guest.id, "of the guest")
    name = a_name()
    clone = guest_clone(session, guest.id, name, None)
    own = paths(session, clone)
    assert clone.id != guest.id
    assert clone.name == name
    assert clone == guest_info(session, clone.id)
    assert (clone.hdd, clone.memory, clone.cpus, clone.state) == (2, 32, 1, GuestState.STOPPED)
    assert disk_list(session, clone.id)[1].name == "data"
    assert snapshot_list(session, clone.id) == []
    assert set(own).isdisjoint(theirs)
    for path in own:
        told = subprocess.run(["qemu-img", "info", path], check=True, capture_output=True, text=True).stdout
        assert "backing file" not in told
        assert "Snapshot list" not in told
    assert [has(path, number) for number, path in enumerate(own, 1)] == [True, True]
    for path in own:
        write(path, 9)
    assert [has(path, number) for number, path in enumerate(theirs, 1)] == [True, True]
    guest_delete(session, clone.id)
    assert [Path(path).exists() for path in (*own, *theirs)] == [False, False, True, True]


def test_a_clone_has_an_identity_of_its_own_on_the_host(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    iso = pool.path(".iso")
    iso.write_bytes(b"\0" * 4096)
    interface = (
        f"<interface type='network'><mac address='52:54:00:12:34:56'/><source network='{libvirtd.network}'/>"
        "<target dev='fixed0'/><model type='virtio'/></interface>"
    )
    with volume(session.connection, libvirtd.pool, GIB) as disk:
        devices = file_disk(disk.path(), "vda", "virtio") + interface
        devices += file_disk(str(iso), "sda", "sata", device="cdrom", more="<readonly/>")
        extra = "<genid>5ade0e16-d770-48cb-ba18-6a77136209e2</genid>"
        extra += "<metadata><o:other xmlns:o='urn:other'>kept</o:other></metadata>"
        with foreign(session.connection, devices, extra=extra) as domain:
            clone = guest_clone(session, domain.UUIDString(), a_name(), None)
            try:
                text = domain_of(session, clone).XMLDesc()
                assert "fixed0" not in text
                assert "5ade0e16-d770-48cb-ba18-6a77136209e2" not in text
                assert domain.UUIDString() not in text
                assert disk.path() not in text
                (mac,) = re.findall(r"mac address='(.*?)'", text)
                assert mac.startswith("52:54:00:")
                assert mac != "52:54:00:12:34:56"
                assert str(iso) in text
                assert ">kept<" in text
                guest_start(session, clone.id)
                domain_of(session, clone).destroy()
            finally:
                guest_delete(session, clone.id)
            assert iso.exists()


def test_a_clone_has_a_port_of_its_own_in_open_vswitch(session: KvmSession) -> None:
    port = "5ade0e16-d770-48cb-ba18-6a77136209e2"
    interface = (
        "<interface type='bridge'><source bridge='ovs'/><virtualport type='openvswitch'>"
        f"<parameters interfaceid='{port}' profileid='kept'/></virtualport><model type='virtio'/></interface>"
    )
    with foreign(session.connection, interface) as domain:
        clone = guest_clone(session, domain.UUIDString(), a_name(), None)
        text = domain_of(session, clone).XMLDesc()
        guest_delete(session, clone.id)
    assert "interfaceid='" in text
    assert port not in text
    assert "profileid='kept'" in text


def test_a_raw_disk_is_cloned_as_it_is(session: KvmSession, libvirtd: Libvirtd, pool: Pool) -> None:
    raw = alone(pool, image_format="raw")
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    devices = file_disk(str(raw), "vda", "virtio").replace("type='qcow2'", "type='raw'")
    with foreign(session.connection, devices) as domain:
        clone = guest_clone(session, domain.UUIDString(), a_name(), None)
        (disk,) = disk_list(session, clone.id)
        compared = subprocess.run(
            ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(disk.extra_info)], check=False
        )
        guest_delete(session, clone.id)
    assert compared.returncode == 0


def test_a_guest_that_runs_is_not_cloned(session: KvmSession, libvirtd: Libvirtd, guest: Guest) -> None:
    guest_start(session, guest.id)
    before = traces(session, libvirtd)
    with pytest.raises(InvalidState, match="STARTED"):
        guest_clone(session, guest.id, a_name(), None)
    domain_of(session, guest).managedSave()
    with pytest.raises(InvalidState, match="PAUSED"):
        guest_clone(session, guest.id, a_name(), None)
    assert traces(session, libvirtd) == before


def test_a_guest_that_is_started_meanwhile_is_not_cloned(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    before = traces(session, libvirtd)
    domain = domain_of(session, guest)
    with (
        after("virStorageVolCreateXMLFrom", domain.create, nth=2),
        pytest.raises(InvalidState, match="STARTED"),
    ):
        guest_clone(session, guest.id, a_name(), None)
    assert traces(session, libvirtd) == before


def test_a_guest_whose_disks_change_after_they_are_copied_is_not_cloned(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    for path in paths(session, guest):
        write(path, 1)
    snapshot = snapshot_create(session, guest.id, "then")
    for path in paths(session, guest):
        write(path, 2)
    before = traces(session, libvirtd)
    with (
        # After the last look at the guest's state.
        after("virDomainHasManagedSaveImage", lambda: snapshot_revert(session, guest.id, snapshot.id), nth=2),
        pytest.raises(Busy, match="disks of the guest changed while they were copied: try again"),
    ):
        guest_clone(session, guest.id, a_name(), None)
    assert traces(session, libvirtd) == before


@pytest.mark.parametrize("name", ["a/b", "..", "x" * 250])
def test_a_name_that_libvirt_cannot_keep_is_rejected(session: KvmSession, guest: Guest, name: str) -> None:
    with pytest.raises(InvalidArguments, match="name"):
        guest_clone(session, guest.id, name, None)
    with pytest.raises(Conflict, match="choose another name"):
        guest_clone(session, guest.id, guest.name, None)


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


@pytest.mark.parametrize(
    ("function", "nth"),
    [("virStorageVolCreateXMLFrom", 1), ("virStorageVolCreateXMLFrom", 2), ("virDomainDefineXML", 1)],
)
def test_a_clone_that_fails_leaves_nothing_and_the_guest_whole(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, function: str, nth: int
) -> None:
    def fail() -> None:
        raise BrokenError

    before = traces(session, libvirtd)
    with after(function, fail, nth=nth), pytest.raises(BrokenError):
        guest_clone(session, guest.id, a_name(), None)
    assert traces(session, libvirtd) == before
    guest_start(session, guest.id)


def test_a_name_that_is_taken_meanwhile_is_a_conflict(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    name = a_name()
    before = traces(session, libvirtd)
    with (
        foreign(session.connection) as other,
        after("virStorageVolCreateXMLFrom", lambda: other.rename(name), nth=1),
        pytest.raises(Conflict, match="choose another name"),
    ):
        guest_clone(session, guest.id, name, None)
    assert traces(session, libvirtd) == before


def test_a_disk_that_leads_out_of_the_storages_is_not_cloned(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    image = qcow2(pool, secret)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    with foreign(session.connection, file_disk(str(image), "vda", "virtio")) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(
            Conflict, match=r"disk vda of the guest: image .* is based on a file outside"
        ) as caught:
            guest_clone(session, domain.UUIDString(), a_name(), None)
        assert str(secret) not in caught.value.message
        assert traces(session, libvirtd) == before


def test_a_raw_disk_in_which_the_guest_wrote_a_header_is_not_cloned(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    image = alone(pool)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    with foreign(
        session.connection, file_disk(str(image), "vda", "virtio").replace("type='qcow2'", "type='raw'")
    ) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(Conflict, match="looks like qcow2"):
            guest_clone(session, domain.UUIDString(), a_name(), None)
        assert traces(session, libvirtd) == before


def test_a_disk_in_no_storage_is_said(session: KvmSession, libvirtd: Libvirtd, outside: Path) -> None:
    with (
        foreign(session.connection, file_disk(str(outside / "x.qcow2"), "vda", "virtio")) as domain,
        pytest.raises(Conflict, match="disk vda is not in an active storage"),
    ):
        guest_clone(session, domain.UUIDString(), a_name(), None)


USB = "<source><vendor id='0x1'/><product id='0x2'/></source>"
PCI = "<source><address type='pci' domain='0' bus='5' slot='16' function='0'/></source>"
VHOST_USER = "<source type='unix' path='/nowhere' mode='client'/>"
SOCKET = "<source mode='bind' path='/nowhere'/>"


@pytest.mark.parametrize(
    ("devices", "system", "said"),
    [
        ("<filesystem><source dir='/srv'/><target dir='x'/></filesystem>", "", "a folder of the host"),
        ("<serial type='file'><source path='/var/log/x'/></serial>", "", "written to a file of the host"),
        (
            f"<hostdev mode='subsystem' type='usb'>{USB}</hostdev>",
            "",
            "a device of the host",
        ),
        (file_disk("/nowhere", "vda", "virtio", more="<shareable/>"), "", "vda is shareable"),
        (f"<interface type='hostdev'>{PCI}</interface>", "", "a device of the host"),
        ("<input type='evdev'><source dev='/dev/input/event0'/></input>", "", "a device of the host"),
        (
            "<input type='passthrough' bus='virtio'><source evdev='/dev/input/event0'/></input>",
            "",
            "a device of the host",
        ),
        (
            "<tpm><backend type='passthrough'><device path='/dev/tpm0'/></backend></tpm>",
            "",
            "a device of the host",
        ),
        (
            f"<channel type='unix'>{SOCKET}<target type='virtio' name='x'/></channel>",
            "",
            "a socket of the host",
        ),
        (
            f"<interface type='vhostuser'>{VHOST_USER}<model type='virtio'/></interface>",
            "",
            "a socket of the host",
        ),
        ("<graphics type='vnc' socket='/nowhere'/>", "", "a socket of the host"),
        ("<serial type='pty'><log file='/var/log/x'/></serial>", "", "written to a file of the host"),
        (
            "<serial type='tcp'><source mode='bind' host='127.0.0.1' service='4711'/></serial>",
            "",
            "a port of the host",
        ),
        ("<audio id='1' type='file' path='/nowhere'/>", "", "sound that is written to a file of the host"),
    ],
)
def test_what_a_copy_would_share_is_said(
    session: KvmSession, libvirtd: Libvirtd, devices: str, system: str, said: str
) -> None:
    with foreign(session.connection, devices, system=system) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(NotImplementedError, match=said):
            guest_clone(session, domain.UUIDString(), a_name(), None)
        assert traces(session, libvirtd) == before
