"""Which images are rejected on a real libvirtd: those that would bring in a file of the host."""

import os
import struct
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import libvirt
import pytest

from simplestack import (
    MIB,
    Busy,
    Conflict,
    GuestCreate,
    InvalidArguments,
)
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.images.sources import check_image
from support.lacking import lacking
from support.threads import profiled

from .counterparts.libvirtd import Libvirtd
from .domains import foreign, volume_disk
from .image_guests import (
    CONTENT,
    Pool,
    alone,
    assert_rejected,
    content_of_a_guest,
    qcow2,
    qemu_img,
    refresh,
    traces,
    wanted,
)
from .interference import after

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED


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


@pytest.mark.parametrize("part", ["header", "data"])
def test_an_image_that_changes_while_it_is_copied_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, part: str
) -> None:
    image = alone(pool)
    changed = qcow2(pool, secret).read_bytes() if part == "header" else image.read_bytes() + b"more"
    refresh(session, libvirtd)
    before = traces(session, libvirtd)
    with (
        after("virStorageVolCreateXMLFrom", lambda: image.write_bytes(changed)),
        pytest.raises(Busy, match="changed while it was copied"),
    ):
        guest_create(session, wanted(image, libvirtd))
    assert traces(session, libvirtd) == before


@pytest.fixture
def block_image(session: KvmSession, libvirtd: Libvirtd, pool: Pool) -> Iterator[Path]:
    """Give a volume that is a link to a block device of 4 MiB."""
    disk = libvirtd.folder / f"block-{uuid.uuid4().hex[:8]}"
    disk.write_bytes(CONTENT.ljust(4 * MIB, b"\0"))
    found = subprocess.run(
        ["losetup", "--find", "--show", str(disk)], check=False, capture_output=True, text=True
    )
    if found.returncode != 0:
        lacking("needs a loop device, none can be had here")
    image = pool.path(".block")
    image.symlink_to(found.stdout.strip())
    refresh(session, libvirtd)
    yield image
    subprocess.run(["losetup", "--detach", found.stdout.strip()], check=True)


def test_an_image_on_a_block_device_is_held_to_the_same_rules(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, block_image: Path
) -> None:
    assert content_of_a_guest(session, libvirtd, block_image) == CONTENT
    with block_image.open("r+b") as device:
        device.write(alone(pool).read_bytes())
    assert content_of_a_guest(session, libvirtd, block_image) == CONTENT
    with block_image.open("r+b") as device:
        device.write(qcow2(pool, secret).read_bytes())
    assert_rejected(session, libvirtd, block_image, secret, error=InvalidArguments)


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


def test_an_image_that_is_based_on_the_raw_disk_of_a_guest_as_if_it_were_an_image_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    disk = pool.path(".img")
    disk.write_bytes(alone(pool).read_bytes().ljust(4 * MIB, b"\0"))
    refresh(session, libvirtd)
    device = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{disk}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    with foreign(session.connection, device):
        error = assert_rejected(session, libvirtd, qcow2(pool, disk, "qcow2"), error=Conflict)
        assert "based on one" in error.message


def test_an_image_whose_format_libvirt_cannot_be_told_is_to_be_tried_again(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = pool.path(".qcow2")
    image.touch()
    refresh(session, libvirtd)
    image.write_bytes(alone(pool).read_bytes())
    # What libvirt has learnt by now is wrong again when the image is read for the second time.
    with after("virStoragePoolRefresh", lambda: image.write_bytes(CONTENT)):
        error = assert_rejected(session, libvirtd, image, error=Busy)
    assert error.retry_after_seconds is not None


def test_an_image_on_a_block_volume_that_is_not_raw_is_rejected_for_good(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    # A pool of block devices (LVM, iSCSI) takes more than the tests can have everywhere.
    describe, info = libvirt.virStorageVol.XMLDesc, libvirt.virStorageVol.info

    def describe_as_block(volume: "libvirt.virStorageVol", flags: int = 0) -> str:
        return describe(volume, flags).replace("<volume type='file'", "<volume type='block'")

    def info_of_block(volume: "libvirt.virStorageVol") -> Any:
        found: Any = info(volume)  # annotated as str
        return [libvirt.VIR_STORAGE_VOL_BLOCK, *found[1:]]

    monkeypatch.setattr(libvirt.virStorageVol, "XMLDesc", describe_as_block)
    monkeypatch.setattr(libvirt.virStorageVol, "info", info_of_block)
    error = assert_rejected(session, libvirtd, image, error=InvalidArguments)
    assert "is qcow2 on a block device" in error.message
    image.write_bytes(CONTENT)
    assert check_image(session, image.name, session.connection.storageVolLookupByPath(str(image)))


def test_the_raw_disk_of_a_guest_that_names_pool_and_volume_is_no_image(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    disk = volume_disk(libvirtd.pool, image.name, "vda", "virtio").replace("type='qcow2'", "type='raw'")
    with foreign(session.connection, disk):
        error = assert_rejected(session, libvirtd, image, error=Conflict)
    assert "raw disk of a guest" in error.message


def test_the_disks_of_other_guests_that_name_pool_and_volume_cost_no_round_trip(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    volume = session.connection.storageVolLookupByPath(str(image))
    called: list[str] = []

    def count(_frame: FrameType, event: str, function: object) -> None:
        name = getattr(function, "__name__", "")
        if event == "c_call" and "Lookup" in name:
            called.append(name)

    other = volume_disk(libvirtd.pool, "another.qcow2", "vda", "virtio")
    with foreign(session.connection, other), profiled(count):
        check_image(session, image.name, volume)
    assert called == []
