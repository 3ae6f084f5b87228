"""Which images guests are made of on a real libvirtd: none that brings in a file of the host."""

import os
import struct
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import libvirt
import pytest

from simplestack import GIB, MIB, Busy, Conflict, GuestCreate, GuestState, InvalidArguments, SimplestackError
from simplestack_kvm import faults
from simplestack_kvm.disks import disk_list
from simplestack_kvm.documents import parse_document
from simplestack_kvm.guests_create import guest_create
from simplestack_kvm.guests_delete import guest_delete
from simplestack_kvm.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .interference import after

SECRET = b"the host's own secret ".ljust(512, b".")
CONTENT = b"what the image is meant to hold ".ljust(512, b".")
PAUSED = libvirt.VIR_DOMAIN_START_PAUSED


def qemu_img(*arguments: str | Path) -> None:
    subprocess.run(["qemu-img", *map(str, arguments)], check=True, capture_output=True)


@pytest.fixture
def outside(libvirtd: Libvirtd) -> Path:
    """Give a folder in no pool, which only root may enter."""
    folder = libvirtd.folder / f"outside-{uuid.uuid4().hex[:8]}"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def secret(outside: Path) -> Path:
    """Give a file of the host's that no guest may read."""
    path = outside / "secret"
    path.write_bytes(SECRET * (2 * MIB // len(SECRET)))
    path.chmod(0o600)
    return path


class Pool:
    """Files in the pool that are put there by other means than libvirt."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Path] = []

    def path(self, suffix: str = ".img") -> Path:
        path = self.folder / f"image-{uuid.uuid4().hex[:8]}{suffix}"
        self.made.append(path)
        return path


@pytest.fixture
def pool(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Pool]:
    files = Pool(libvirtd.pool_folder)
    yield files
    for path in files.made:
        path.unlink(missing_ok=True)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


def refresh(session: KvmSession, libvirtd: Libvirtd) -> None:
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


def traces(session: KvmSession, libvirtd: Libvirtd) -> tuple[list[str], list[str]]:
    names = sorted(domain.name() for domain in session.connection.listAllDomains())
    return names, sorted(path.name for path in libvirtd.pool_folder.iterdir())


def wanted(image: Path, libvirtd: Libvirtd) -> GuestCreate:
    return GuestCreate(name=f"guest of {image.name}", memory=32, image=image.name, storage=libvirtd.pool)


def first_bytes(path: str | Path) -> bytes:
    """Return what a guest would read at the start of its qcow2 disk."""
    read = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=512", "count=1", f"if={path}"]
    output = Path(f"{path}.start")
    try:
        subprocess.run([*read, f"of={output}"], check=True, capture_output=True)
        return output.read_bytes()
    finally:
        output.unlink(missing_ok=True)


def content_of_a_guest(session: KvmSession, libvirtd: Libvirtd, image: Path) -> bytes:
    """Make a guest of an image and return how its disk starts."""
    made = guest_create(session, wanted(image, libvirtd))
    try:
        (disk,) = disk_list(session, made.id)
        return first_bytes(str(disk.extra_info))
    finally:
        guest_delete(session, made.id)


def assert_rejected(
    session: KvmSession, libvirtd: Libvirtd, image: Path, *secrets: Path, error: type[SimplestackError]
) -> SimplestackError:
    """Check that no guest is made of an image, that nothing is left of it, and what the client reads."""
    before = traces(session, libvirtd)
    with pytest.raises(error) as caught:
        guest_create(session, wanted(image, libvirtd))
    assert traces(session, libvirtd) == before
    assert image.name in caught.value.message
    for path in (libvirtd.folder, *secrets):
        assert str(path) not in caught.value.message, "a path of the host"
    return caught.value


def qcow2(pool: Pool, backing: str | Path, backing_format: str = "raw") -> Path:
    path = pool.path(".qcow2")
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", backing, "-F", backing_format, path, "2M")
    return path


def test_an_image_that_is_based_on_a_file_of_the_host_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    relative = os.path.relpath(secret, libvirtd.pool_folder)
    driver = f'{{"driver": "raw", "file": {{"driver": "file", "filename": "{secret}"}}}}'
    for backing in (secret, relative, f"./{relative}", f"{pool.folder}/../{relative[3:]}", f"file:{secret}"):
        assert_rejected(session, libvirtd, qcow2(pool, backing), secret, error=InvalidArguments)
    for backing in (
        f"json:{driver}",
        "nbd://127.0.0.1:1/x",
        "nbd:unix:/run/x",
        "fat:/etc",
        "/dev/null",
        "nowhere",
    ):
        assert_rejected(session, libvirtd, qcow2(pool, backing), secret, error=InvalidArguments)


def test_an_image_that_is_based_on_a_server_is_rejected_though_a_volume_has_the_same_name(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    server = "nbd:127.0.0.1:1"
    decoy = pool.folder / server
    pool.made.append(decoy)
    decoy.write_bytes(CONTENT)
    refresh(session, libvirtd)
    assert_rejected(session, libvirtd, qcow2(pool, server), error=InvalidArguments)


def test_an_image_that_is_based_on_one_that_is_based_on_a_file_of_the_host_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    middle = qcow2(pool, secret)
    for backing in (middle, middle.name, f"./{middle.name}", f"//{middle}"):
        refresh(session, libvirtd)
        top = qcow2(pool, qcow2(pool, backing, "qcow2"), "qcow2")
        assert_rejected(session, libvirtd, top, secret, error=InvalidArguments)


def test_an_image_that_is_based_on_an_image_outside_of_the_pools_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, outside: Path
) -> None:
    base = outside / "base.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", base, "1M")
    assert_rejected(session, libvirtd, qcow2(pool, base, "qcow2"), outside, error=InvalidArguments)


def test_an_image_whose_chain_is_a_ring_or_very_long_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    itself = pool.path(".qcow2")
    qemu_img("create", "-q", "-f", "qcow2", itself, "2M")
    qemu_img("rebase", "-u", "-f", "qcow2", "-b", itself, "-F", "qcow2", itself)
    assert_rejected(session, libvirtd, itself, error=InvalidArguments)
    top = pool.path(".qcow2")
    qemu_img("create", "-q", "-f", "qcow2", top, "2M")
    for _ in range(40):
        top = qcow2(pool, top, "qcow2")
    assert_rejected(session, libvirtd, top, error=InvalidArguments)


def test_an_image_that_keeps_its_data_in_a_file_of_the_host_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    for option in ("", ",data_file_raw=on"):
        image = pool.path(".qcow2")
        # qemu-img makes the data file: it is not to be the secret.
        other = secret.with_name("others")
        qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={other}{option}", image, "2M")
        image.write_bytes(image.read_bytes().replace(bytes(other), bytes(secret)))
        assert_rejected(session, libvirtd, image, secret, error=InvalidArguments)


def test_a_vmdk_that_names_a_file_of_the_host_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    sectors = secret.stat().st_size // 512
    text = (
        '# Disk DescriptorFile\nversion=1\nCID=fffffffe\nparentCID=ffffffff\ncreateType="monolithicFlat"\n'
        f'RW {sectors} FLAT "{secret}" 0\nddb.adapterType = "ide"\n'
    ).encode()
    embedded = pool.path(".vmdk")
    # Without a capacity: the header only says where the descriptor is.
    header = b"KDMV" + struct.pack("<IIQQQQ", 1, 3, 0, 128, 1, 20)
    embedded.write_bytes(header.ljust(512, b"\0") + text.ljust(20 * 512, b"\0"))
    assert_rejected(session, libvirtd, embedded, secret, error=InvalidArguments)
    alone = pool.path(".vmdk")
    alone.write_bytes(text.ljust(65536, b"\0"))
    assert_rejected(session, libvirtd, alone, secret, error=InvalidArguments)


@pytest.mark.parametrize("in_use", ["as it is defined", "as it runs"])
def test_a_raw_disk_is_no_image_once_its_own_guest_has_written_a_header_into_it(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, in_use: str
) -> None:
    disk = pool.path(".img")
    for header, error, message in (
        (qcow2(pool, secret), InvalidArguments, "outside of the storages"),
        (alone(pool), Conflict, "raw disk of a guest"),
    ):
        disk.write_bytes(header.read_bytes().ljust(4 * MIB, b"\0"))
        refresh(session, libvirtd)
        more = "<shareable/>" if in_use == "as it runs" else ""
        written = f"{disk.parent}//./{disk.name}"
        device = (
            f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{written}'/>"
            f"<target dev='vda' bus='virtio'/>{more}</disk>"
        )
        with foreign(session.connection, device) as domain:
            if in_use == "as it runs":
                domain.createWithFlags(PAUSED)
            rejected = assert_rejected(session, libvirtd, disk, secret, error=error)
            assert message in rejected.message


def alone(pool: Pool, content: bytes = CONTENT, *, image_format: str = "qcow2") -> Path:
    """Make an image that refers to no other."""
    raw = pool.path(".raw")
    raw.write_bytes(content.ljust(2 * MIB, b"\0"))
    image = pool.path(f".{image_format}")
    qemu_img("convert", "-f", "raw", "-O", image_format, raw, image)
    raw.unlink()
    return image


@pytest.mark.parametrize("image_format", ["raw", "qcow2", "vmdk", "vdi", "qed", "qcow", "vpc"])
def test_an_image_of_any_format_that_stands_alone_is_copied(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, image_format: str
) -> None:
    assert content_of_a_guest(session, libvirtd, alone(pool, image_format=image_format)) == CONTENT


def test_an_image_that_is_based_on_images_in_the_pools_is_copied_with_them(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    raw = pool.path(".img")
    raw.write_bytes(CONTENT.ljust(2 * MIB, b"\0"))
    middle = qcow2(pool, raw)
    top = qcow2(pool, middle.name, "qcow2")
    made = guest_create(session, wanted(top, libvirtd))
    try:
        for path in (top, middle, raw):
            path.unlink()
        (disk,) = disk_list(session, made.id)
        assert first_bytes(str(disk.extra_info)) == CONTENT
    finally:
        guest_delete(session, made.id)


def test_an_image_that_was_filled_after_libvirt_looked_is_copied_for_what_it_is(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = pool.path(".qcow2")
    image.touch()
    refresh(session, libvirtd)
    image.write_bytes(alone(pool).read_bytes())
    assert content_of_a_guest(session, libvirtd, image) == CONTENT
    image.write_bytes(CONTENT.ljust(MIB, b"\0"))  # and the other way round
    assert content_of_a_guest(session, libvirtd, image) == CONTENT


def test_an_image_that_was_replaced_by_a_larger_one_is_copied_as_a_whole(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    image.unlink()
    qemu_img("create", "-q", "-f", "qcow2", image, "1G")
    made = guest_create(session, wanted(image, libvirtd))
    assert made.hdd == 1
    guest_delete(session, made.id)


def test_the_disk_of_a_guest_that_is_off_is_an_image(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    first = guest_create(session, wanted(alone(pool), libvirtd))
    (disk,) = disk_list(session, first.id)
    assert content_of_a_guest(session, libvirtd, Path(str(disk.extra_info))) == CONTENT
    guest_delete(session, first.id)


def test_an_image_that_changes_while_it_is_copied_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    image = alone(pool)
    hostile = qcow2(pool, secret).read_bytes()
    refresh(session, libvirtd)
    before = traces(session, libvirtd)
    with (
        after("virStorageVolCreateXMLFrom", lambda: image.write_bytes(hostile)),
        pytest.raises(Busy, match="changed while it was copied"),
    ):
        guest_create(session, wanted(image, libvirtd))
    assert traces(session, libvirtd) == before


def test_an_image_in_use_by_a_running_guest_is_a_conflict_without_commands_and_paths(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    device = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    with foreign(session.connection, device) as domain:
        domain.createWithFlags(PAUSED)
        error = assert_rejected(session, libvirtd, image, error=Conflict)
        assert "running guest" in error.message
        assert "qemu-img" not in error.message
        domain.destroy()
        assert content_of_a_guest(session, libvirtd, image) == CONTENT


def test_a_folder_is_no_image_and_no_iso(session: KvmSession, libvirtd: Libvirtd) -> None:
    folder = libvirtd.pool_folder / f"folder-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        assert_rejected(session, libvirtd, folder, error=InvalidArguments)
        with pytest.raises(InvalidArguments, match=f"ISO '{folder.name}'"):
            guest_create(
                session, GuestCreate(name="no CD", memory=32, iso=folder.name, storage=libvirtd.pool)
            )
    finally:
        folder.rmdir()


def cdrom(session: KvmSession, guest_id: str) -> tuple[str | None, str | None]:
    document = parse_document(session.connection.lookupByUUIDString(guest_id).XMLDesc())
    driver = document.find("devices/disk[@device='cdrom']/driver")
    source = document.find("devices/disk[@device='cdrom']/source")
    return (None if driver is None else driver.get("type"), None if source is None else source.get("file"))


def test_an_iso_is_attached_as_it_is_whatever_it_holds(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    iso = pool.path(".iso")
    iso.write_bytes((b"\0" * 32769 + b"CD001\1").ljust(MIB, b"\0"))
    for medium in (iso, qcow2(pool, secret), alone(pool)):
        with ExitStack() as stack:
            made = guest_create(
                session,
                GuestCreate(name="with a CD", memory=32, iso=medium.name, storage=libvirtd.pool, start=True),
            )
            domain = session.connection.lookupByUUIDString(made.id)
            stack.callback(domain.undefine)
            stack.callback(domain.destroy)
            assert made.state == GuestState.STARTED
            assert cdrom(session, made.id) == ("raw", str(medium))


def test_a_new_volume_can_grow_with_snapshots(session: KvmSession, libvirtd: Libvirtd, pool: Pool) -> None:
    made = guest_create(session, wanted(alone(pool), libvirtd))
    domain = session.connection.lookupByUUIDString(made.id)
    try:
        (disk,) = disk_list(session, made.id)
        domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        session.connection.storageVolLookupByPath(str(disk.extra_info)).resize(GIB)
        assert disk_list(session, made.id)[0].size == 1
    finally:
        guest_delete(session, made.id)


def test_a_translated_error_names_no_command_and_no_path() -> None:
    error = libvirt.libvirtError("failed")
    text = (
        "internal error: Child process (/usr/bin/qemu-img convert -f qcow2 /srv/a (1).img /srv/b) unexpected "
        "exit status 1: qemu-img: Could not open '/srv/pool/a.img': Image is corrupt"
    )
    error.err = (1, 18, text, 2, "", None, None, -1, 0)
    translated = faults.translate(error)
    assert translated is not None
    assert "/" not in translated.message
    assert "convert" not in translated.message
    assert "Image is corrupt" in translated.message
