"""Data for cloud-init on a real libvirtd: where its secrets are, who gets them, and when they go."""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import libvirt
import pytest
from msgspec import yaml

from simplestack import (
    MIB,
    CloudInit,
    Conflict,
    EntityNotFound,
    Guest,
    GuestCreate,
    InsufficientStorage,
    InvalidState,
    NewDisk,
)
from simplestack_kvm.errors import translate
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.media import media_info, media_mount, media_unmount
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.hooks.snapshots import snapshot_create, snapshot_delete, snapshot_revert
from simplestack_kvm.libvirtd.connection.session import KvmSession
from support.nocloud import files_in_image

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .exports import exported
from .image_guests import Pool, qemu_img, traces
from .small_pools import small_pool
from .snapshot_guests import domain_of

SECRET = "pa55-w0rd"
TEXT = f"#cloud-config\n\tpassword: {SECRET} <&>'\"]]> é \U0001f600 \ufffe\n"
KEY = "ssh-ed25519 AAAA a@b \"<&>'"
ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})


@pytest.fixture(autouse=True)
def as_before(session: KvmSession, libvirtd: Libvirtd) -> Iterator[None]:
    """Check that every test leaves the host as it was."""
    before = traces(session, libvirtd)
    yield
    assert traces(session, libvirtd) == before


def wanted(libvirtd: Libvirtd, **fields: object) -> GuestCreate:
    common = {
        "name": f"ci {uuid.uuid4().hex[:8]} <&>",
        "memory": 32,
        "disks": [NewDisk(size=0.1)],
        "storage": libvirtd.pool,
    }
    return GuestCreate(**common | fields)  # type: ignore[arg-type]  # a test's fields


def made(session: KvmSession, libvirtd: Libvirtd, **fields: object) -> Guest:
    data = {"user_data": TEXT, "network_config": f"{TEXT}2", "hostname": "web-1", "ssh_keys": [KEY]}
    return guest_create(session, wanted(libvirtd, **data | fields))


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with data for cloud-init; a test may delete it."""
    guest = made(session, libvirtd)
    yield guest
    remove(session, guest)


def remove(session: KvmSession, guest: Guest) -> None:
    with suppress(EntityNotFound, InvalidState):
        guest_shutdown(session, guest.id, force=True)
    with suppress(EntityNotFound):
        guest_delete(session, guest.id)


def images(libvirtd: Libvirtd, guest: Guest) -> list[Path]:
    return sorted(libvirtd.pool_folder.glob(f"{guest.id}-*.iso"))


def image(libvirtd: Libvirtd, guest: Guest) -> Path:
    (path,) = images(libvirtd, guest)
    return path


def drives(session: KvmSession, guest: Guest) -> list[ET.Element]:
    document = ET.fromstring(domain_of(session, guest).XMLDesc())  # noqa: S314  libvirt's
    return document.findall("devices/disk[@device='cdrom']")


def media(session: KvmSession, guest: Guest) -> list[str | None]:
    """Return what is in the CD drives."""
    sources = [drive.find("source") for drive in drives(session, guest)]
    return [None if source is None else source.get("file") for source in sources]


def controllers(session: KvmSession, guest: Guest) -> list[ET.Element]:
    document = ET.fromstring(domain_of(session, guest).XMLDesc())  # noqa: S314  libvirt's
    return document.findall("devices/controller")


def buses(session: KvmSession, guest: Guest) -> list[str]:
    targets = [drive.find("target") for drive in drives(session, guest)]
    return [target.get("bus", "") for target in targets if target is not None]


def test_the_image_has_what_the_client_sent_and_only_root_reads_it(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    files = files_in_image(image(libvirtd, guest).read_bytes())
    assert files["user-data"] == TEXT.encode()
    assert files["network-config"] == f"{TEXT}2".encode()
    metadata = {"instance-id": guest.id, "local-hostname": "web-1", "public-keys": [KEY]}
    assert yaml.decode(files["meta-data"]) == metadata
    assert image(libvirtd, guest).stat().st_mode & 0o777 == 0o600
    assert SECRET not in domain_of(session, guest).XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE)


def test_no_guest_gets_the_image_of_another_one(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    name = image(libvirtd, guest).name
    for field, entity in (("iso", "ISO"), ("image", "Image")):
        with pytest.raises(EntityNotFound, match=f"{entity}:{name} not found"):
            remove(session, guest_create(session, wanted(libvirtd, **{field: name})))
    with pytest.raises(EntityNotFound, match=f"ISO:{name} not found"):
        media_mount(session, guest.id, name)


def test_copies_of_copies_have_no_more_controllers_than_the_first_one(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    copies = [guest]
    try:
        for data in (CloudInit(user_data=TEXT), None, CloudInit(user_data=TEXT)):
            copies.append(guest_clone(session, copies[-1].id, f"copy {uuid.uuid4().hex}", data))
        _original, first, bare, last = (controllers(session, each) for each in copies)
        assert len(first) == len(bare) == len(last)
        guest_start(session, copies[-1].id)
        assert drives(session, copies[-1])[-1].find("address[@controller='0']") is not None
    finally:
        for copy in copies[1:]:
            remove(session, copy)


def test_clients_see_neither_a_disk_nor_a_medium(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    assert guest.hdd == pytest.approx(0.1, abs=0.01)
    assert [disk.id for disk in disk_list(session, guest.id)] == ["vda"]
    assert media_info(session, guest.id).name is None
    assert [each for each in guest_list(session, ALL_FIELDS) if each.id == guest.id] == [guest]


@pytest.mark.parametrize("is_running", [False, True])
def test_the_cd_drive_of_clients_is_the_other_one(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, isos: tuple[Path, Path], is_running: bool
) -> None:
    if is_running:
        guest_start(session, guest.id)
    before = image(libvirtd, guest).read_bytes()
    media_mount(session, guest.id, isos[0].name)
    assert media_info(session, guest.id).name == isos[0].name
    assert media(session, guest) == [str(isos[0]), str(image(libvirtd, guest))]
    media_unmount(session, guest.id)
    assert media_info(session, guest.id).name is None
    media_unmount(session, guest.id)
    assert media(session, guest) == [None, str(image(libvirtd, guest))]
    if is_running:
        guest_shutdown(session, guest.id, force=True)
    assert image(libvirtd, guest).read_bytes() == before


def test_the_drive_is_never_that_of_clients_even_if_theirs_is_gone(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, isos: tuple[Path, Path]
) -> None:
    theirs = ET.tostring(drives(session, guest)[0], encoding="unicode")
    domain_of(session, guest).detachDeviceFlags(theirs, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    assert media(session, guest) == [str(image(libvirtd, guest))]
    assert media_info(session, guest.id).name is None
    media_unmount(session, guest.id)
    assert media(session, guest) == [str(image(libvirtd, guest))]
    media_mount(session, guest.id, isos[0].name)
    assert sorted(map(str, media(session, guest))) == sorted([str(isos[0]), str(image(libvirtd, guest))])
    assert media_info(session, guest.id).name == isos[0].name


def test_an_iso_image_that_a_new_guest_boots_from_is_in_its_first_drive(
    session: KvmSession, libvirtd: Libvirtd, isos: tuple[Path, Path]
) -> None:
    guest = made(session, libvirtd, iso=isos[1].name)
    assert media_info(session, guest.id).name == isos[1].name
    assert media(session, guest) == [str(isos[1]), str(image(libvirtd, guest))]
    guest_delete(session, guest.id)
    assert isos[1].exists()


def test_the_drive_is_one_that_kernels_for_clouds_have_drivers_for(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    for fields, expected in (
        ({}, ["sata", "scsi"]),
        ({"paravirtualized": False}, ["sata", "sata"]),
        ({"disks": []}, ["sata", "scsi"]),
    ):
        guest = made(session, libvirtd, **fields)
        assert buses(session, guest) == expected
        document = ET.fromstring(domain_of(session, guest).XMLDesc())  # noqa: S314  libvirt's
        models = [each.get("model") for each in document.iterfind("devices/controller[@type='scsi']")]
        assert models == ["virtio-scsi"] * expected.count("scsi")
        guest_start(session, guest.id)
        guest_shutdown(session, guest.id, force=True)
        guest_delete(session, guest.id)


def test_the_drive_takes_no_port_that_a_disk_could_be_added_to(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    plain = guest_create(session, wanted(libvirtd))
    ports, scsi = ("devices/controller[@model='pcie-root-port']", "devices/controller[@type='scsi']")
    counts = []
    for each in (plain, guest):
        document = ET.fromstring(domain_of(session, each).XMLDesc())  # noqa: S314  libvirt's
        counts.append(len(document.findall(ports)) - len(document.findall(scsi)))
    guest_delete(session, plain.id)
    assert counts[0] == counts[1]


def test_the_image_goes_with_the_guest_even_if_its_drive_is_gone(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, warnings: list[str]
) -> None:
    path = image(libvirtd, guest)
    drive = ET.tostring(drives(session, guest)[1], encoding="unicode")
    domain_of(session, guest).detachDeviceFlags(drive, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    assert len(drives(session, guest)) == 1
    guest_delete(session, guest.id)
    assert not path.exists()
    assert warnings == []


def test_the_guest_keeps_its_image_through_snapshots(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    guest_start(session, guest.id)
    taken = snapshot_create(session, guest.id, "before")
    guest_shutdown(session, guest.id, force=True)
    snapshot_revert(session, guest.id, taken.id)
    assert buses(session, guest) == ["sata", "scsi"]
    guest_shutdown(session, guest.id, force=True)
    snapshot_delete(session, guest.id, taken.id)
    assert images(libvirtd, guest)


def test_a_clone_gets_no_secrets_of_the_guest(session: KvmSession, libvirtd: Libvirtd, guest: Guest) -> None:
    clone = guest_clone(session, guest.id, f"clone {uuid.uuid4().hex}", None)
    copy = guest_create(session, wanted(libvirtd, disks=[], template=guest.id))
    for each in (clone, copy):
        text = domain_of(session, each).XMLDesc()
        assert guest.id not in text
        assert "cloud-init" not in text
        assert len(drives(session, each)) == 1
        assert images(libvirtd, each) == []
        guest_delete(session, each.id)
    assert images(libvirtd, guest)


def test_a_clone_has_data_of_its_own_that_goes_with_it(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, warnings: list[str]
) -> None:
    data = CloudInit(user_data="its own", hostname="web-2")
    clone = guest_clone(session, guest.id, f"clone {uuid.uuid4().hex}", data)
    body = wanted(libvirtd, disks=[], template=guest.id, user_data="its own", hostname="web-2", start=True)
    copy = guest_create(session, body)
    guest_shutdown(session, copy.id, force=True)
    for each in (clone, copy):
        files = files_in_image(image(libvirtd, each).read_bytes())
        assert files["user-data"] == b"its own"
        assert yaml.decode(files["meta-data"]) == {"instance-id": each.id, "local-hostname": "web-2"}
        assert SECRET.encode() not in image(libvirtd, each).read_bytes()
        assert buses(session, each) == ["sata", "scsi"]
        assert media_info(session, each.id).name is None
    for each in (clone, guest, copy):
        guest_delete(session, each.id)
        assert images(libvirtd, each) == []
    assert warnings == []


def test_an_export_has_nothing_of_it(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, tmp_path: Path, warnings: list[str]
) -> None:
    archive = exported(session, guest.id, tmp_path)
    assert len(archive.names) == 3, "a descriptor, a disk and their digests"
    for name in archive.names:
        content = archive.file(name).read_bytes()
        for secret in (SECRET, "cidata", image(libvirtd, guest).name, "cloud-init"):
            assert secret.encode() not in content
    assert archive.appliance.cd_drives == 1
    assert warnings == []


def test_a_copy_by_another_tool_keeps_the_image_and_deletes_none(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, warnings: list[str]
) -> None:
    document = ET.fromstring(domain_of(session, guest).XMLDesc())  # noqa: S314  libvirt's
    name, number = document.find("name"), document.find("uuid")
    assert name is not None
    assert number is not None
    name.text, number.text = f"copied {uuid.uuid4().hex}", str(uuid.uuid4())
    for disk in document.findall("devices/disk[@device='disk']"):
        document.find("devices").remove(disk)  # type: ignore[union-attr]  # it is there
    for interface in document.findall("devices/interface"):
        document.find("devices").remove(interface)  # type: ignore[union-attr]  # it is there
    path = image(libvirtd, guest)
    copy = session.connection.defineXML(ET.tostring(document, encoding="unicode"))
    guest_delete(session, copy.UUIDString())
    assert path.exists()
    copy = session.connection.defineXML(ET.tostring(document, encoding="unicode"))
    guest_delete(session, guest.id)
    assert path.exists()
    assert warnings == [f"volume {libvirtd.pool}/{path.name} is kept: guest {name.text} uses it"]
    guest_delete(session, copy.UUIDString())
    assert path.exists(), "nothing says that it was made for the copy"
    session.connection.storageVolLookupByPath(str(path)).delete()


@pytest.mark.parametrize("whose", ["another guest's image", "an installation medium", "a path"])
def test_a_mark_that_somebody_has_changed_deletes_nothing(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, isos: tuple[Path, Path], whose: str
) -> None:
    name = {
        "another guest's image": image(libvirtd, guest).name,
        "an installation medium": isos[0].name,
        "a path": f"../{libvirtd.pool_folder.name}/{isos[0].name}",
    }[whose]
    mark = f"<c:drive xmlns:c='urn:simplestack:kvm:cloud-init' pool='{libvirtd.pool}' volume='{name}'/>"
    with foreign(session.connection, extra=f"<metadata>{mark}</metadata>") as domain:
        media_mount(session, domain.UUIDString(), isos[0].name)
        assert media_info(session, domain.UUIDString()).name == isos[0].name
        guest_delete(session, domain.UUIDString())
    assert image(libvirtd, guest).exists()
    assert isos[0].exists()


def test_a_creation_that_fails_leaves_no_secrets_behind(session: KvmSession, libvirtd: Libvirtd) -> None:
    with pytest.raises(libvirt.libvirtError, match="memory"):  # there is not so much
        made(session, libvirtd, memory=2**22, start=True)
    with pytest.raises(EntityNotFound, match="Storage"):
        made(session, libvirtd, disks=[], storage="none")


def test_a_clone_that_fails_leaves_no_secrets_behind(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    before = traces(session, libvirtd)
    with foreign(session.connection) as other:
        # The name is taken after it was checked.
        session_name = other.name()
        with pytest.raises(Conflict, match="another guest has the name"):
            guest_clone(session, guest.id, session_name, CloudInit(user_data=SECRET))
    assert traces(session, libvirtd) == before


def test_an_image_that_the_storage_has_no_room_for_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with small_pool(session, libvirtd, size_bytes=MIB) as pool:
        pool.fill(MIB - 32 * 1024)
        with pytest.raises(libvirt.libvirtError) as raised:
            made(session, libvirtd, disks=[], storage=pool.name)
        assert isinstance(translate(raised.value), InsufficientStorage)
        assert pool.files() == []


def test_an_image_with_a_data_file_keeps_no_secrets_on_the_host(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, pool: Pool, warnings: list[str]
) -> None:
    data, doubtful = pool.path(".data"), pool.path(".qcow2")
    qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={data},data_file_raw=on", doubtful, "1M")
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()
    guest_delete(session, guest.id)
    assert images(libvirtd, guest) == []
    assert warnings == []


def test_the_image_is_in_the_storage_of_the_guest(session: KvmSession, libvirtd: Libvirtd) -> None:
    guest = made(session, libvirtd, disks=[])
    assert image(libvirtd, guest).exists()
    assert guest_info(session, guest.id).hdd == 0
    guest_delete(session, guest.id)
