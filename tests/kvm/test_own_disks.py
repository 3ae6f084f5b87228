"""Which disks are a guest's own, and go with it."""

import os
from collections.abc import Callable

import libvirt
import pytest

from simplestack import HypervisorError
from simplestack_kvm.hooks.disks import disk_delete
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .domains import file_disk, foreign
from .image_files import Files
from .interference import after

Delete = Callable[[KvmSession, str], None]


def delete_guest(session: KvmSession, guest_id: str) -> None:
    guest_delete(session, guest_id)


def delete_disk(session: KvmSession, guest_id: str) -> None:
    disk_delete(session, guest_id, "vda")


def test_a_disk_that_another_disk_of_its_guest_is_based_on_stays(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    base = files.image(files.pool / "a.qcow2")
    overlay = files.overlay(files.pool / "b.qcow2", base)
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
    overlay = files.overlay(files.pool / "b.qcow2", base)
    disks = file_disk(str(base), "vda", "virtio") + file_disk(str(overlay), "vdb", "virtio")
    with foreign(session.connection, disks) as mine:
        guest_delete(session, mine.UUIDString())
    assert not base.exists()
    assert not overlay.exists()


def test_what_a_disk_that_stays_is_based_on_stays_too(session: KvmSession, files: Files) -> None:
    base = files.image(files.pool / "a.qcow2")
    overlay = files.overlay(files.pool / "b.qcow2", base)
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
    assert warnings == ["disk vda is kept: it is not in an active storage"]


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
    assert warnings == ["volume simplestack-test/installer.iso is kept: it is an ISO image"]


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


@pytest.mark.parametrize("delete", [delete_guest, delete_disk])
def test_a_raw_disk_stays_while_an_image_may_keep_its_data_in_it(
    session: KvmSession, warnings: list[str], files: Files, delete: Delete
) -> None:
    data = files.image(files.pool / "a.img", form="raw")
    raw = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{data}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    image = files.image(files.pool / "w.qcow2", "-o", f"data_file={data}")
    with foreign(session.connection, raw) as mine:
        delete(session, mine.UUIDString())
        assert data.exists()
    image.unlink()
    with foreign(session.connection, raw) as mine:
        delete(session, mine.UUIDString())
    assert not data.exists()
    (warning,) = warnings
    assert "volume simplestack-test/w.qcow2 may keep its data in another file" in warning


@pytest.mark.parametrize(
    "options", [("-u", "-b", "/nonexistent/base", "-F", "raw"), ("-o", "data_file=data.img")]
)
def test_what_a_guest_writes_into_its_raw_disk_keeps_no_volume_of_others(
    session: KvmSession, warnings: list[str], files: Files, options: tuple[str, ...]
) -> None:
    files.made.append(files.pool / "data.img")
    header = files.image(files.pool / "theirs.img", *options)
    mine = [files.image(files.pool / "mine.qcow2"), files.image(files.pool / "mine.img", form="raw")]
    raw = (
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>"
        "<target dev='{}'/></disk>"
    )
    disks = file_disk(str(mine[0]), "vda", "virtio") + raw.format(mine[1], "vdb")
    by_name = (
        "<disk type='volume' device='disk'><driver name='qemu' type='raw'/>"
        f"<source pool='simplestack-test' volume='{header.name}'/><target dev='vda'/></disk>"
    )
    pool = session.connection.storagePoolLookupByName("simplestack-test")
    for theirs in (raw.format(header, "vda"), by_name):
        for path in mine:
            files.image(path, form="raw" if path.suffix == ".img" else "qcow2")
        pool.refresh()
        with foreign(session.connection, disks) as domain, foreign(session.connection, theirs):
            guest_delete(session, domain.UUIDString())
        assert warnings == []
        assert [path.exists() for path in mine] == [False, False]


def test_a_raw_disk_that_looks_like_an_image_stays_while_another_one_may_keep_its_data_in_it(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    data = files.image(files.pool / "a.img", form="raw")
    files.image(files.pool / "w.qcow2", "-o", f"data_file={data}")
    data.write_bytes(files.image(files.outside / "header.qcow2").read_bytes())
    raw = (
        f"<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{data}'/>"
        "<target dev='vda'/></disk>"
    )
    with foreign(session.connection, raw) as mine:
        guest_delete(session, mine.UUIDString())
    assert data.exists()
    assert len(warnings) == 1


def test_a_disks_volume_that_libvirt_cannot_delete_is_named(session: KvmSession, files: Files) -> None:
    path = files.image(files.pool / "a.qcow2")
    with foreign(session.connection, file_disk(str(path), "vda", "virtio")) as mine:

        def make_a_folder_of_it() -> None:
            path.unlink()
            path.joinpath("file").mkdir(parents=True)

        with (
            after("virDomainIsPersistent", make_a_folder_of_it, nth=1),
            pytest.raises(HypervisorError, match=r"its volume is left: simplestack-test/a\.qcow2 \("),
        ):
            delete_disk(session, mine.UUIDString())
        assert mine.XMLDesc().count("<disk ") == 0
    path.joinpath("file").rmdir()
    path.rmdir()


def test_a_file_that_somebody_writes_to_under_another_name_stays(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    path = files.image(files.pool / "a.qcow2")
    link = files.link(files.outside / "alias", files.pool)
    alias = session.connection.storagePoolCreateXML(
        f"<pool type='dir'><name>alias</name><target><path>{link}</path></target></pool>"
    )
    with (
        foreign(session.connection, file_disk(str(path), "vda", "virtio")),
        foreign(session.connection, file_disk(str(link / path.name), "vda", "virtio")) as mine,
    ):
        with after("virStorageVolGetXMLDesc", lambda: os.utime(path)):  # as a guest that runs does
            guest_delete(session, mine.UUIDString())
        assert path.exists()
    assert warnings == ["volume alias/a.qcow2 is kept: something writes to it"]
    alias.destroy()


def test_what_a_path_leads_to_by_way_of_a_link_and_back_is_not_guessed(
    session: KvmSession, warnings: list[str], files: Files
) -> None:
    mine = files.image(files.pool / "mine.qcow2")
    folder = files.outside / "real" / "sub"
    folder.mkdir(parents=True)
    files.overlay(folder.parent / "a.qcow2", mine)
    files.image(files.pool / "a.qcow2")  # what it would be without the link
    link = files.link(files.pool / "link", folder)
    overlay = files.overlay(files.pool / "b.qcow2", f"{link}/../a.qcow2")
    with (
        foreign(session.connection, file_disk(str(mine), "vda", "virtio")) as domain,
        foreign(session.connection, file_disk(str(overlay), "vda", "virtio")),
    ):
        guest_delete(session, domain.UUIDString())
        assert mine.exists()
    assert "create a storage for its folder" in warnings[0]
