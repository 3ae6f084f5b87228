"""Exports of guests on a real libvirtd: what is in them, and when there is none."""

import tarfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    GIB,
    MIB,
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    InvalidState,
    NetworkInterfaceUpdate,
    NewDisk,
    NewNetworkInterface,
)
from simplestack.appliances import ApplianceDisk, ApplianceInterface, NewMember, archive_bytes, archive_chunks
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_export import guest_export
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.interfaces import network_interface_list, network_interface_update
from simplestack_kvm.hooks.power import guest_start, guest_suspend
from simplestack_kvm.hooks.tags import tag_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.storage.downloads import WINDOW_BYTES

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign
from .exports import exported
from .image_guests import Pool, traces
from .interference import after
from .snapshot_guests import a_guest, domain_of, has, paths, write
from .uefi_guests import pools, uefi_guest, variables


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


def test_an_export_has_all_of_a_guest(session: KvmSession, libvirtd: Libvirtd, tmp_path: Path) -> None:
    name = f"all <of> it {uuid.uuid4().hex[:8]}"
    interfaces = [NewNetworkInterface(network=libvirtd.network) for _ in range(2)]
    guest = guest_create(
        session,
        GuestCreate(
            name=name,
            memory=48,
            cpus=2,
            disks=[NewDisk(size=0.5, name="sy<s>tem"), NewDisk(size=1)],
            network_interfaces=interfaces,
            storage=libvirtd.pool,
        ),
    )
    try:
        for tag in ("web", "a/b <&>"):
            tag_create(session, guest.id, tag)
        first, second = network_interface_list(session, guest.id)
        changes = NetworkInterfaceUpdate(
            active=False, ratelimit=8192, locking_mode="locked", ipv4_allowed=["192.0.2.7"]
        )
        network_interface_update(session, guest.id, second.id, changes)
        domain = domain_of(session, guest)
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "two\nlines", None, None)  # type: ignore[arg-type]  # the binding's own annotation
        machine = domain.XMLDesc().partition("machine='")[2].partition("'")[0]
        for number, path in enumerate(paths(session, guest), 1):
            write(path, number)
        before = traces(session, libvirtd)
        archive = exported(session, guest.id, tmp_path)
        assert traces(session, libvirtd) == before
    finally:
        guest_delete(session, guest.id)
    assert archive.names == ["guest.ovf", "disk-1.qcow2", "disk-2.qcow2", "guest.mf"]
    archive.require_digests()
    appliance = archive.appliance
    assert (appliance.name, appliance.memory_mib, appliance.cpus) == (name, 48, 2)
    assert (appliance.firmware, appliance.machine, appliance.arch) == ("bios", machine, "x86_64")
    assert appliance.description == "two\nlines"
    assert appliance.tags == ("a/b <&>", "web")
    assert appliance.cd_drives == 1
    sizes = [archive.file(name).stat().st_size for name in archive.names[1:3]]
    assert appliance.disks == tuple(
        ApplianceDisk(
            href=f"disk-{number}.qcow2",
            capacity_bytes=capacity,
            file_bytes=size,
            populated_bytes=disk.populated_bytes,
            format="qcow2",
            bus="virtio",
            name=label,
        )
        for number, capacity, size, label, disk in zip(
            (1, 2), (GIB // 2, GIB), sizes, ("sy<s>tem", None), appliance.disks, strict=True
        )
    )
    assert appliance.interfaces == (
        ApplianceInterface(network=libvirtd.network, mac=first.mac, model="virtio"),
        ApplianceInterface(
            network=libvirtd.network,
            mac=second.mac,
            model="virtio",
            active=False,
            ratelimit=8192,
            locking_mode="locked",
            ipv4_allowed=("192.0.2.7",),
        ),
    )
    for number, image in enumerate(archive.names[1:3], 1):
        assert has(str(archive.file(image)), number)


def test_a_template_is_exported_as_one(session: KvmSession, guest: Guest, tmp_path: Path) -> None:
    guest_update(session, guest.id, GuestUpdate(template=True))
    try:
        archive = exported(session, guest.id, tmp_path)
    finally:
        guest_update(session, guest.id, GuestUpdate(template=False))
    assert archive.appliance.template


def test_a_guest_without_disks_is_exported(session: KvmSession, tmp_path: Path) -> None:
    with foreign(session.connection) as domain:
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert archive.names == ["guest.ovf", "guest.mf"]
    assert archive.appliance.disks == ()


def test_a_raw_disk_is_exported_as_it_is(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path
) -> None:
    raw = pool.path(".raw")
    with raw.open("wb") as file:
        # Data and holes across the windows in which a disk is read.
        for position in (0, 3 * MIB, WINDOW_BYTES - 4096, 2 * WINDOW_BYTES + 512):
            file.seek(position)
            file.write(b"data at %d " % position * 300)
        file.truncate(3 * WINDOW_BYTES + 512)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    devices = file_disk(str(raw), "sda", "scsi").replace("type='qcow2'", "type='raw'")
    devices += "<controller type='scsi' index='0' model='lsilogic'/>"
    # Its holes are not transferred.
    with foreign(session.connection, devices) as domain, after("virStreamRecvHole", lambda: None):
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert archive.file("disk-1.raw").read_bytes() == raw.read_bytes()
    (disk,) = archive.appliance.disks
    assert (disk.format, disk.capacity_bytes) == ("raw", 3 * WINDOW_BYTES + 512)
    assert (disk.bus, disk.controller) == ("scsi", "lsilogic")


def test_a_disk_is_read_in_windows_that_fit_into_memory(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path
) -> None:
    raw = pool.path(".raw")
    raw.write_bytes(bytes(range(256)) * 4096 * 20)  # 20 MiB
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    devices = file_disk(str(raw), "vda", "virtio").replace("type='qcow2'", "type='raw'")
    downloads: list[None] = []
    with foreign(session.connection, devices) as domain:
        with after("virStorageVolDownload", lambda: downloads.append(None)):
            archive = exported(session, domain.UUIDString(), tmp_path)
        chunks = [len(chunk) for chunk in guest_export(session, domain.UUIDString()).chunks]
    assert archive.file("disk-1.raw").read_bytes() == raw.read_bytes()
    assert len(downloads) == 2
    assert max(chunks) <= MIB


def test_media_and_their_secrets_are_not_exported(
    session: KvmSession, libvirtd: Libvirtd, isos: tuple[Path, Path], guest: Guest, tmp_path: Path
) -> None:
    drive = file_disk(str(isos[0]), "sda", "sata", device="cdrom", more="<readonly/>")
    with foreign(session.connection, drive) as domain:
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert b"medium" not in archive.path.read_bytes()
    assert isos[0].name.encode() not in archive.path.read_bytes()
    assert archive.appliance.cd_drives == 1


def test_a_password_of_the_display_is_not_exported(session: KvmSession, tmp_path: Path) -> None:
    graphics = "<graphics type='vnc' port='-1' autoport='yes' passwd='s3cret'/>"
    with foreign(session.connection, graphics) as domain:
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert b"s3cret" not in archive.path.read_bytes()


def test_what_an_export_cannot_have_is_said(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, warnings: list[str]
) -> None:
    mac = "52:54:00:00:00:77"
    devices = (
        "<filesystem type='mount'><source dir='/srv'/><target dir='srv'/></filesystem>"
        f"<interface type='network'><mac address='{mac}'/><source network='{libvirtd.network}'/>"
        "<filterref filter='clean-traffic'/></interface>"
    )
    with foreign(session.connection, devices) as domain:
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert warnings == [
        "the export does not have a folder of the host, which the guest has",
        f"the export does not have the network filter of interface {mac}, which Simplestack did not set",
    ]
    assert b"/srv" not in archive.path.read_bytes()


@pytest.mark.parametrize("has_run", [True, False])
def test_uefi_variables_are_exported(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, tmp_path: Path, has_run: bool
) -> None:
    with uefi_guest(session, nvram) as domain:
        if has_run:
            (nvram / f"{domain.name()}_VARS.fd").write_bytes(variables(b"the guest's own"))
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert pools(session) == [libvirtd.pool]
    appliance = archive.appliance
    assert appliance.firmware == "efi"
    assert appliance.nvram_href == ("nvram.fd" if has_run else None)
    assert archive.names == ["guest.ovf", *(["nvram.fd"] if has_run else []), "guest.mf"]
    archive.require_digests()
    if has_run:
        assert archive.file("nvram.fd").read_bytes() == variables(b"the guest's own")


@pytest.mark.parametrize("state", [GuestState.STARTED, GuestState.PAUSED, "saved"])
def test_a_guest_that_is_not_stopped_is_not_exported(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, state: str
) -> None:
    guest_start(session, guest.id)
    if state == GuestState.PAUSED:
        guest_suspend(session, guest.id)
    if state == "saved":
        domain_of(session, guest).managedSave()
    before = traces(session, libvirtd)
    with pytest.raises(InvalidState) as rejected:
        guest_export(session, guest.id)
    current = GuestState.STARTED if state == GuestState.STARTED else GuestState.PAUSED
    assert rejected.value.details == {"current": current, "needed": "STOPPED"}
    assert traces(session, libvirtd) == before
    if state == "saved":
        domain_of(session, guest).managedSaveRemove()


def test_a_guest_that_is_not_there_is_not_exported(session: KvmSession) -> None:
    with pytest.raises(EntityNotFound, match="Guest"):
        guest_export(session, str(uuid.uuid4()))


def test_an_archive_may_have_files_of_more_than_8_gib() -> None:
    def zeros() -> Iterator[bytes]:
        for _ in range(9 * 64):
            yield bytes(16 * MIB)

    member = NewMember(name="disk-1.raw", size_bytes=9 * GIB, content=zeros)
    chunks = archive_chunks(b"descriptor", [member])
    next(chunks)
    header = tarfile.TarInfo.frombuf(next(chunks), "utf-8", "strict")
    chunks.close()
    assert (header.name, header.size) == ("disk-1.raw", 9 * GIB)
    size_bytes = archive_bytes(b"descriptor", [member])
    assert size_bytes is not None
    assert size_bytes > 9 * GIB


def test_a_member_of_another_length_breaks_an_archive_off() -> None:
    member = NewMember(name="disk-1.raw", size_bytes=3, content=lambda: iter([b"12"]))
    with pytest.raises(ValueError, match="2 bytes, not 3"):
        list(archive_chunks(b"descriptor", [member]))
