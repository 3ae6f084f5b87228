"""Deletion keeps every volume that somebody's disk is based on, however the chain is written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from simplestack_kvm.hooks.disks import disk_delete
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .domains import file_disk, foreign
from .image_files import Files

Delete = Callable[[KvmSession, str], None]


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
    assert [warning.split(":")[0] for warning in warnings] == ["volume simplestack-test/a.qcow2 is kept"]
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
