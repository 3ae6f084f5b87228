"""What an export could reveal, change or leave: of the host, of other guests, of what was deleted."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    MIB,
    Busy,
    Conflict,
    Guest,
    InsufficientStorage,
    InvalidState,
    SimplestackError,
)
from simplestack_kvm.errors import translate
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.guests_export import guest_export
from simplestack_kvm.hooks.snapshots import snapshot_create, snapshot_list
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign
from .exports import download_all, exported, info, raw_content
from .image_guests import CONTENT, Pool, alone, qcow2, qemu_img, refresh, traces
from .interference import after
from .small_pools import small_pool
from .snapshot_guests import a_guest, paths, write

SECRET = b"the host's own secret"


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    """Give a stopped guest with two disks of 1 GiB."""
    with a_guest(session, libvirtd) as guest:
        yield guest


def disk(path: Path, image_format: str = "qcow2") -> str:
    return file_disk(str(path), "vda", "virtio").replace("type='qcow2'", f"type='{image_format}'")


def test_a_guest_that_writes_a_header_into_its_raw_disk_gets_that_header_back(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, tmp_path: Path
) -> None:
    raw = qcow2(pool, secret)
    refresh(session, libvirtd)
    with foreign(session.connection, disk(raw, "raw")) as domain:
        archive = exported(session, domain.UUIDString(), tmp_path)
    assert archive.file("disk-1.raw").read_bytes() == raw.read_bytes()
    assert SECRET not in archive.path.read_bytes()
    assert archive.appliance.disks[0].capacity_bytes == raw.stat().st_size


@pytest.mark.parametrize("way", ["backing file", "data file"])
def test_an_image_that_refers_to_a_file_of_the_host_is_not_exported(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, way: str
) -> None:
    if way == "backing file":
        image = qcow2(pool, secret)
    else:
        image = pool.path(".qcow2")
        data = pool.path(".data")
        qemu_img("create", "-q", "-f", "qcow2", "-o", f"data_file={data},data_file_raw=on", image, "2M")
    refresh(session, libvirtd)
    with foreign(session.connection, disk(image)) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(Conflict, match="cannot export disk vda of the guest") as rejected:
            guest_export(session, domain.UUIDString())
        assert traces(session, libvirtd) == before
    assert str(secret) not in rejected.value.message


@pytest.mark.parametrize("which", ["the image", "its base"])
def test_an_image_that_somebody_replaces_before_its_copy_reveals_nothing(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path, which: str
) -> None:
    """The check is done, and qemu-img has not opened the image yet."""
    base = alone(pool)
    image = qcow2(pool, base, "qcow2")
    refresh(session, libvirtd)

    def replace() -> None:
        replaced = image if which == "the image" else base
        replaced.write_bytes(qcow2(pool, secret).read_bytes())

    with foreign(session.connection, disk(image)) as domain:
        before = traces(session, libvirtd)[0]
        with after("virStoragePoolGetInfo", replace, nth=1), pytest.raises(Busy, match="changed"):
            guest_export(session, domain.UUIDString())
        names, files = traces(session, libvirtd)
    assert names == before
    assert [name for name in files if name.startswith("export-")] == []


def test_disks_that_are_based_on_others_are_exported_as_one_image(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path
) -> None:
    base = alone(pool)
    middle = qcow2(pool, base, "qcow2")
    image = qcow2(pool, middle, "qcow2")
    subprocess.run(
        ["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 4k", str(image)], check=True, capture_output=True
    )
    refresh(session, libvirtd)
    with foreign(session.connection, disk(image)) as domain:
        before = traces(session, libvirtd)
        expected = raw_content(image)
        image.with_suffix(".content").unlink()
        archive = exported(session, domain.UUIDString(), tmp_path)
        assert traces(session, libvirtd) == before
    content = archive.file("disk-1.qcow2")
    assert "backing file" not in info(content)
    assert raw_content(content) == expected
    assert expected.startswith(CONTENT)
    archive.require_digests()


@pytest.mark.parametrize("image_format", ["vmdk", "vdi"])
def test_disks_of_other_formats_are_exported_as_qcow2(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path, image_format: str
) -> None:
    image = alone(pool, image_format=image_format)
    refresh(session, libvirtd)
    with foreign(session.connection, disk(image, image_format)) as domain:
        before = traces(session, libvirtd)
        archive = exported(session, domain.UUIDString(), tmp_path)
        assert traces(session, libvirtd) == before
    assert raw_content(archive.file("disk-1.qcow2")).startswith(CONTENT)


def test_what_only_a_snapshot_has_is_not_exported(session: KvmSession, guest: Guest, tmp_path: Path) -> None:
    path = paths(session, guest)[0]
    write(path, 0x53)
    snapshot_create(session, guest.id, "with a secret")
    write(path, 0x2E)
    archive = exported(session, guest.id, tmp_path)
    assert [snapshot.name for snapshot in snapshot_list(session, guest.id)] == ["with a secret"]
    image = archive.file("disk-1.qcow2")
    assert "Snapshot list" not in info(image)
    content = image.read_bytes()
    assert b"S" * 512 not in content
    assert b"." * 4096 in content


@pytest.mark.parametrize("when", ["it runs on", "it is off again"])
def test_a_guest_that_runs_meanwhile_breaks_its_export_off(
    session: KvmSession, guest: Guest, tmp_path: Path, when: str
) -> None:
    def run() -> None:
        other = libvirt.open(session.connection.getURI())
        domain = other.lookupByUUIDString(guest.id)
        domain.create()
        if when == "it is off again":
            domain.destroy()
        other.close()

    export = guest_export(session, guest.id)
    path = tmp_path / "image"
    error = InvalidState if when == "it runs on" else Busy
    with after("virStorageVolDownload", run, nth=1), pytest.raises(error):
        download_all(export, path)
    assert path.stat().st_size < (export.size or 0)
    assert guest_info(session, guest.id).name == guest.name  # the session is of use


def test_a_disk_that_becomes_shorter_breaks_its_export_off(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, tmp_path: Path
) -> None:
    raw = alone(pool, image_format="raw")
    refresh(session, libvirtd)
    with foreign(session.connection, disk(raw, "raw")) as domain:
        export = guest_export(session, domain.UUIDString())
        os.truncate(raw, MIB)
        with pytest.raises(Busy, match="became shorter"):
            download_all(export, tmp_path / "image")


def test_a_guest_that_is_deleted_meanwhile_breaks_its_export_off(
    session: KvmSession, guest: Guest, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    snapshot_create(session, guest.id, "so that disks are copied")
    export = guest_export(session, guest.id)
    guest_delete(session, guest.id)
    with pytest.raises(libvirt.libvirtError) as caught:
        download_all(export, tmp_path / "image")
    translated = translate(caught.value)
    assert isinstance(translated, SimplestackError)
    assert translated.name == "EntityNotFound"
    assert not list(libvirtd.pool_folder.glob("export-*"))


@pytest.mark.parametrize("chunks", [0, 1, 2, 3])
def test_a_client_that_goes_away_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, chunks: int
) -> None:
    fill = ["qemu-io", "-f", "qcow2", "-c", "write -P 1 0 40M", paths(session, guest)[0]]
    subprocess.run(fill, check=True, capture_output=True)
    snapshot_create(session, guest.id, "so that disks are copied")
    before = traces(session, libvirtd)
    export = guest_export(session, guest.id)
    assert len(list(libvirtd.pool_folder.glob("export-*"))) == 2
    # After the descriptor and a header, the third chunk comes from a stream that goes on.
    aborted = after("virStreamAbort", lambda: None) if chunks == 3 else nullcontext()
    with aborted, closing(export.chunks):  # type: ignore[type-var]  # core closes what can be
        for _ in range(chunks):
            next(export.chunks)
    assert traces(session, libvirtd) == before
    assert guest_info(session, guest.id) == guest


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


@pytest.mark.parametrize(
    ("function", "nth"),
    [("virStorageVolCreateXMLFrom", 1), ("virStorageVolCreateXMLFrom", 2), ("virDomainGetState", 2)],
)
def test_an_export_that_fails_before_its_first_byte_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, guest: Guest, function: str, nth: int
) -> None:
    def fail() -> None:
        raise BrokenError

    snapshot_create(session, guest.id, "so that disks are copied")
    before = traces(session, libvirtd)
    with after(function, fail, nth=nth), pytest.raises(BrokenError):
        guest_export(session, guest.id)
    assert traces(session, libvirtd) == before


def test_a_disk_without_room_for_its_copy_is_not_exported(session: KvmSession, libvirtd: Libvirtd) -> None:
    with small_pool(session, libvirtd, 8 * MIB) as pool:
        for name, backing in (("base.qcow2", []), ("disk.qcow2", ["-b", "base.qcow2", "-F", "qcow2"])):
            command = ["qemu-img", "create", "-q", "-f", "qcow2", *backing, name, "16M"]
            subprocess.run(command, check=True, cwd=pool.folder)
        write_to = ["qemu-io", "-f", "qcow2", "-c", "write -P 1 0 5M", "base.qcow2"]
        subprocess.run(write_to, check=True, cwd=pool.folder, capture_output=True)
        session.connection.storagePoolLookupByName(pool.name).refresh()
        image = libvirtd.folder / pool.name / "disk.qcow2"
        with (
            foreign(session.connection, disk(image)) as domain,
            pytest.raises(InsufficientStorage, match="disk vda must be copied"),
        ):
            guest_export(session, domain.UUIDString())
        assert pool.files() == ["base.qcow2", "disk.qcow2"]


NETWORK = (
    "<disk type='network' device='disk'><driver name='qemu' type='raw'/>"
    "<source protocol='nbd' name='x'><host name='127.0.0.1' port='1'/></source>"
    "<target dev='vda' bus='virtio'/></disk>"
)


ENCRYPTED = (
    "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='/nowhere'>"
    "<encryption format='luks'><secret type='passphrase' uuid='5ade0e16-d770-48cb-ba18-6a77136209e2'/>"
    "</encryption></source><target dev='vda' bus='virtio'/></disk>"
)


@pytest.mark.parametrize(("device", "why"), [(NETWORK, "neither a file"), (ENCRYPTED, "encrypted")])
def test_a_disk_that_cannot_be_read_elsewhere_is_not_exported(
    session: KvmSession, device: str, why: str
) -> None:
    with (
        foreign(session.connection, device) as domain,
        pytest.raises(NotImplementedError, match=f"disk vda of the guest cannot be exported: it is {why}"),
    ):
        guest_export(session, domain.UUIDString())


def test_a_disk_outside_of_the_storages_is_not_exported(
    session: KvmSession, outside: Path, libvirtd: Libvirtd
) -> None:
    image = outside / "disk.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", image, "1M")
    with (
        foreign(session.connection, disk(image)) as domain,
        pytest.raises(Conflict, match="create a storage for its folder") as rejected,
    ):
        guest_export(session, domain.UUIDString())
    assert str(outside) not in rejected.value.message
