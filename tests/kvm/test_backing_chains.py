"""Deletion keeps every volume that somebody's disk is based on, however the chain is written."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest

from simplestack_kvm.disks import disk_delete
from simplestack_kvm.guests_delete import guest_delete
from simplestack_kvm.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign

Delete = Callable[[KvmSession, str], None]


class Files:
    """Images that qemu-img makes: in the pool, which libvirt does not notice, and outside of every pool."""

    def __init__(self, pool: Path, outside: Path) -> None:
        self.pool = pool
        self.outside = outside
        self.made: list[Path] = []

    def image(self, path: Path | str, *options: str, form: str = "qcow2", size: str | None = "1M") -> Path:
        """Make an image."""
        made = Path(path)
        sizes = [] if size is None else [size]
        subprocess.run(
            ["qemu-img", "create", "-q", "-f", form, *options, str(path), *sizes],
            check=True,
            capture_output=True,
            cwd=self.pool,
        )
        self.made.append(made)
        return made

    def overlay(self, path: Path, backing: str | Path, form: str = "qcow2") -> Path:
        """Make an image that is based on another one; what it is based on is not opened."""
        return self.image(path, "-u", "-b", str(backing), "-F", form)

    def link(self, path: Path, to: Path) -> Path:
        path.symlink_to(to)
        self.made.append(path)
        return path

    def hard_link(self, path: Path, to: Path) -> Path:
        path.hardlink_to(to)
        self.made.append(path)
        return path


@pytest.fixture
def files(session: KvmSession, libvirtd: Libvirtd, tmp_path: Path) -> Iterator[Files]:
    outside = libvirtd.folder / "outside"
    outside.mkdir(exist_ok=True)
    files = Files(libvirtd.pool_folder, outside)
    yield files
    for path in reversed(files.made):
        path.unlink(missing_ok=True)
    session.connection.storagePoolLookupByName(libvirtd.pool).refresh()


def delete_guest(session: KvmSession, guest_id: str) -> None:
    guest_delete(session, guest_id)


def delete_disk(session: KvmSession, guest_id: str) -> None:
    disk_delete(session, guest_id, "vda")


def in_pool(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", base)


def longer(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", files.overlay(files.pool / "m.qcow2", base))


def outside_the_pool(files: Files, base: Path) -> Path:
    return files.overlay(files.outside / "b.qcow2", base)


def through_the_outside(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", files.overlay(files.outside / "m.qcow2", base))


def with_dots(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", f"{files.pool}/./../{files.pool.name}//{base.name}")


def relative(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", base.name)


def by_protocol(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", f"file:{base}")


def by_json(files: Files, base: Path) -> Path:
    nested = {"driver": "qcow2", "file": {"driver": "file", "filename": str(base)}}
    return files.overlay(files.pool / "b.qcow2", "json:" + json.dumps(nested))


def by_flat_json(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", "json:" + json.dumps({"file.filename": str(base)}))


def by_json_through_a_filter(files: Files, base: Path) -> Path:
    filtered = {
        "driver": "copy-on-read",
        "file": {"driver": "qcow2", "file": {"driver": "file", "filename": str(base)}},
    }
    return files.overlay(files.pool / "b.qcow2", "json:" + json.dumps(filtered))


def by_debugging_protocol(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", f"blkdebug::{base}")


def by_link_outside(files: Files, base: Path) -> Path:
    return files.link(files.outside / "link.qcow2", base)


def by_link_in_the_pool(files: Files, base: Path) -> Path:
    return files.link(files.pool / "link.qcow2", base)


def by_hard_link_in_the_pool(files: Files, base: Path) -> Path:
    return files.hard_link(files.pool / "hard.qcow2", base)


def by_link_to_the_folder(files: Files, base: Path) -> Path:
    return files.link(files.outside / "folder", files.pool) / base.name


def on_a_link(files: Files, base: Path) -> Path:
    return files.overlay(files.pool / "b.qcow2", files.link(files.pool / "link.qcow2", base))


def with_dots_itself(files: Files, base: Path) -> Path:
    return Path(f"/{base.parent}/.//{base.name}")


USES: list[Callable[[Files, Path], Path]] = [
    in_pool,
    longer,
    outside_the_pool,
    through_the_outside,
    with_dots,
    relative,
    by_protocol,
    by_json,
    by_flat_json,
    by_json_through_a_filter,
    by_debugging_protocol,
    by_link_outside,
    by_link_in_the_pool,
    by_hard_link_in_the_pool,
    by_link_to_the_folder,
    on_a_link,
    with_dots_itself,
]


@pytest.mark.parametrize("delete", [delete_guest, delete_disk])
@pytest.mark.parametrize("use", USES)
def test_what_another_guests_disk_is_based_on_stays_and_the_client_is_told(
    session: KvmSession, warnings: list[str], files: Files, use: Callable[[Files, Path], Path], delete: Delete
) -> None:
    base = files.image(files.pool / "a.qcow2")
    path = use(files, base)
    with (
        foreign(session.connection, file_disk(str(base), "vda", "virtio")) as mine,
        foreign(session.connection, file_disk(str(path), "vda", "virtio")),
    ):
        delete(session, mine.UUIDString())
        assert base.exists()
    assert [warning.split(":")[0] for warning in warnings] == ["volume simplestack-test/a.qcow2 stays"]
    assert "/tmp" not in warnings[0]


@pytest.mark.parametrize("delete", [delete_guest, delete_disk])
@pytest.mark.parametrize("use", [use for use in USES if use is not with_dots_itself])
def test_what_a_volume_is_based_on_stays_though_no_guest_uses_that_volume(
    session: KvmSession, files: Files, use: Callable[[Files, Path], Path], delete: Delete
) -> None:
    base = files.image(files.pool / "a.qcow2")
    path = use(files, base)
    if path.parent != files.pool or path.name != "b.qcow2":
        files.overlay(files.pool / "b.qcow2", path)
    with foreign(session.connection, file_disk(str(base), "vda", "virtio")) as mine:
        delete(session, mine.UUIDString())
        assert base.exists()


@pytest.mark.parametrize("delete", [delete_guest, delete_disk])
def test_what_nobody_uses_goes_though_others_have_chains(
    session: KvmSession, warnings: list[str], files: Files, delete: Delete
) -> None:
    other = files.image(files.pool / "a.qcow2")
    path = longer(files, other)
    own = files.image(files.pool / "own.qcow2")
    with (
        foreign(session.connection, file_disk(str(own), "vda", "virtio")) as mine,
        foreign(session.connection, file_disk(str(path), "vda", "virtio")),
    ):
        delete(session, mine.UUIDString())
    assert not own.exists()
    assert warnings == []


def test_a_disk_that_another_disk_of_its_guest_is_based_on_stays(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    base = files.image(files.pool / "a.qcow2")
    overlay = in_pool(files, base)
    disks = file_disk(str(base), "vda", "virtio") + file_disk(str(overlay), "vdb", "virtio")
    with foreign(session.connection, disks) as mine:
        delete_disk(session, mine.UUIDString())
        assert base.exists()
        assert len(warnings) == 1
        disk_delete(session, mine.UUIDString(), "vdb")
    assert not overlay.exists()


def test_disks_of_one_guest_that_are_based_on_each_other_all_go_with_it(
    session: KvmSession, files: Files
) -> None:
    base = files.image(files.pool / "a.qcow2")
    overlay = in_pool(files, base)
    disks = file_disk(str(base), "vda", "virtio") + file_disk(str(overlay), "vdb", "virtio")
    with foreign(session.connection, disks) as mine:
        guest_delete(session, mine.UUIDString())
    assert not base.exists()
    assert not overlay.exists()


def test_what_a_disk_that_stays_is_based_on_stays_too(session: KvmSession, files: Files) -> None:
    base = files.image(files.pool / "a.qcow2")
    overlay = in_pool(files, base)
    disks = file_disk(str(base), "vda", "virtio") + file_disk(str(overlay), "vdb", "virtio")
    with (
        foreign(session.connection, disks) as mine,
        foreign(session.connection, file_disk(str(overlay), "sda", "sata", device="cdrom")),
    ):
        guest_delete(session, mine.UUIDString())
        assert base.exists()
        assert overlay.exists()


def test_a_disk_that_the_pool_does_not_know_yet_goes_with_its_guest(
    session: KvmSession, files: Files
) -> None:
    path = files.image(files.pool / "new.qcow2")
    with foreign(session.connection, file_disk(str(path), "vda", "virtio")) as mine:
        guest_delete(session, mine.UUIDString())
    assert not path.exists()


def test_a_disk_in_no_pool_stays_and_the_client_is_told(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    path = files.image(files.outside / "mine.qcow2")
    with foreign(session.connection, file_disk(str(path), "vda", "virtio")) as mine:
        guest_delete(session, mine.UUIDString())
    assert path.exists()
    assert warnings == ["disk vda stays: it is in no active storage"]


def test_an_installer_that_is_attached_as_a_disk_stays(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    path = files.pool / "installer.iso"
    content = bytearray(64 * 1024)
    content[0x8000:0x8007] = b"\x01CD001\x01"  # ISO 9660: the primary volume descriptor
    path.write_bytes(content)
    files.made.append(path)
    with foreign(session.connection, file_disk(str(path), "vda", "virtio")) as mine:
        guest_delete(session, mine.UUIDString())
    assert path.exists()
    assert warnings == ["volume simplestack-test/installer.iso stays: it is an ISO image"]


@pytest.mark.parametrize("mark", ["<readonly/>", "<shareable/>", "<transient/>"])
def test_a_disk_that_is_not_the_guests_to_keep_stays(session: KvmSession, files: Files, mark: str) -> None:
    path = files.image(files.pool / "template.img", form="raw")
    disk = file_disk(str(path), "vda", "virtio", more=mark)
    with foreign(session.connection, disk) as mine:
        guest_delete(session, mine.UUIDString())
    assert path.exists()


def test_a_guest_that_was_saved_with_a_disk_keeps_it(session: KvmSession, files: Files) -> None:
    path = files.image(files.pool / "a.qcow2")
    disk = file_disk(str(path), "vda", "virtio")
    with foreign(session.connection, machine="pc") as other, foreign(session.connection, disk) as mine:
        other.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        other.attachDeviceFlags(disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
        other.managedSave()
        guest_delete(session, mine.UUIDString())
        assert path.exists()


def test_a_link_that_is_a_disk_is_deleted_and_not_what_it_leads_to(session: KvmSession, files: Files) -> None:
    secret = files.image(files.outside / "secret.qcow2")
    link = files.link(files.pool / "link.qcow2", secret)
    with foreign(session.connection, file_disk(str(link), "vda", "virtio")) as mine:
        guest_delete(session, mine.UUIDString())
    assert secret.exists()
    assert not link.is_symlink()


def test_a_network_disk_of_another_guest_leaves_doubt_only_when_it_may_have_a_chain(
    session: KvmSession, files: Files
) -> None:
    for form, stays in (("raw", False), ("qcow2", True)):
        path = files.image(files.pool / f"{form}.qcow2")
        remote = (
            f"<disk type='network' device='disk'><driver name='qemu' type='{form}'/>"
            "<source protocol='nbd' name='export'><host name='192.0.2.1'/></source>"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        with (
            foreign(session.connection, file_disk(str(path), "vda", "virtio")) as mine,
            foreign(session.connection, remote),
        ):
            guest_delete(session, mine.UUIDString())
        assert path.exists() is stays, form
