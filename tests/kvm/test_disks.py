"""Disks on a real libvirtd, hot and cold."""

import libvirt
import pytest

from simplestack import (
    GIB,
    Busy,
    Conflict,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    InvalidArguments,
    InvalidState,
)
from simplestack_kvm.hooks.disks import disk_create, disk_delete, disk_info, disk_list, disk_update
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.networks import plugging

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume
from .interference import after

INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
CONFIG = libvirt.VIR_DOMAIN_AFFECT_CONFIG


def targets(domain: "libvirt.virDomain", flags: int = 0) -> list[str | None]:
    document = parse_document(domain.XMLDesc(flags))
    return [target.get("dev") for target in document.iterfind("devices/disk/target")]


def volumes(session: KvmSession, libvirtd: Libvirtd) -> set[str]:
    return set(session.connection.storagePoolLookupByName(libvirtd.pool).listVolumes())


def test_a_stopped_guest_gains_changes_and_loses_a_disk(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection) as domain:
        guest_id, before = domain.UUIDString(), volumes(session, libvirtd)
        made = disk_create(session, guest_id, DiskCreate(size=1.5, name="a & b", storage_id=libvirtd.pool))
        assert (made.id, made.name, made.number, made.size) == ("vda", "a & b", "0", 1.5)
        assert disk_list(session, guest_id) == [made]
        changed = disk_update(session, guest_id, "vda", DiskUpdate(name="<c>", size=2))
        assert (changed.name, changed.size) == ("<c>", 2)
        with pytest.raises(InvalidArguments, match="only grow"):
            disk_update(session, guest_id, "vda", DiskUpdate(size=1))
        assert disk_info(session, guest_id, "vda") == changed
        disk_delete(session, guest_id, "vda")
        assert disk_list(session, guest_id) == []
        assert volumes(session, libvirtd) == before


def test_a_running_guest_gains_a_disk_that_outlives_its_stop(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection, machine="pc") as domain:
        domain.create()
        made = disk_create(session, domain.UUIDString(), DiskCreate(size=1, storage_id=libvirtd.pool))
        assert targets(domain) == targets(domain, INACTIVE) == ["vda"]
        domain.destroy()
        assert disk_list(session, domain.UUIDString()) == [made]
        disk_delete(session, domain.UUIDString(), made.id)


def test_a_guest_that_does_not_let_go_keeps_its_disk(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugging, "DETACH_SECONDS", 2.0)
    monkeypatch.setattr(plugging, "DETACH_AGAIN_SECONDS", 1.0)
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio"), machine="pc") as domain,
    ):
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)  # nobody there to answer
        with pytest.raises(Busy, match="does not release disk"):
            disk_delete(session, domain.UUIDString(), "vda")
        assert targets(domain) == targets(domain, INACTIVE) == ["vda"]
        assert disk.name() in volumes(session, libvirtd)


def test_a_bus_that_takes_no_disks_while_the_guest_runs_is_refused(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "sda", "sata")) as domain,
    ):
        domain.create()
        before = volumes(session, libvirtd)
        with pytest.raises(InvalidState, match="sata"):
            disk_create(session, domain.UUIDString(), DiskCreate(size=1))
        with pytest.raises(InvalidState, match="sata"):
            disk_delete(session, domain.UUIDString(), "sda")
        assert volumes(session, libvirtd) == before
        domain.destroy()
        assert disk_create(session, domain.UUIDString(), DiskCreate(size=1)).id == "sdb"
        disk_delete(session, domain.UUIDString(), "sdb")


def test_a_disk_whose_place_somebody_else_takes_meanwhile_leaves_no_volume(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection) as domain,
    ):
        before = volumes(session, libvirtd)
        theirs = file_disk(disk.path(), "vda", "virtio")
        with (
            after("virStorageVolGetPath", lambda: domain.attachDeviceFlags(theirs, CONFIG), nth=1),
            pytest.raises(libvirt.libvirtError, match="vda"),
        ):
            disk_create(session, domain.UUIDString(), DiskCreate(size=1, storage_id=libvirtd.pool))
        assert volumes(session, libvirtd) == before


def test_a_disk_that_cannot_be_attached_leaves_no_volume(session: KvmSession, libvirtd: Libvirtd) -> None:
    with foreign(session.connection, machine="q35") as domain:
        domain.create()
        before = volumes(session, libvirtd)

        def fill() -> None:
            for _ in range(20):  # it was not made with free ports for so many
                disk_create(session, domain.UUIDString(), DiskCreate(size=1, storage_id=libvirtd.pool))

        with pytest.raises(Conflict, match="free device"):
            fill()
        attached = {disk.name for disk in disk_list(session, domain.UUIDString())}
        assert attached
        assert volumes(session, libvirtd) == before | attached
        domain.destroy()
        for disk in disk_list(session, domain.UUIDString()):
            disk_delete(session, domain.UUIDString(), disk.id)
        assert volumes(session, libvirtd) == before


def test_another_guests_disk_is_not_found(session: KvmSession, libvirtd: Libvirtd) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as other,
        foreign(session.connection) as domain,
    ):
        for disk_id in ("vda", "", "../vda", disk.name(), disk.path(), "x" * 300):
            with pytest.raises(EntityNotFound, match="Disk:"):
                disk_info(session, domain.UUIDString(), disk_id)
            with pytest.raises(EntityNotFound, match="Disk:"):
                disk_delete(session, domain.UUIDString(), disk_id)
        assert targets(other) == ["vda"]
        assert disk.name() in volumes(session, libvirtd)


def test_defect_16_disks_of_any_origin_are_shown_by_their_device(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    block = "<disk type='block' device='disk'><source dev='/dev/null'/><target dev='sdb' bus='scsi'/></disk>"
    network = (
        "<disk type='network' device='disk'><source protocol='rbd' name='pool/image'>"
        "<host name='127.0.0.1'/></source><target dev='vdb' bus='virtio'/></disk>"
    )
    with volume(session.connection, libvirtd.pool, GIB) as disk:
        of_pool = (
            f"<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>"
            f"<source pool='{libvirtd.pool}' volume='{disk.name()}'/><target dev='vdc' bus='virtio'/></disk>"
        )
        with foreign(session.connection, block + network + of_pool) as domain:
            shown = {disk.id: disk for disk in disk_list(session, domain.UUIDString())}
            assert shown["sdb"].extra_info == "/dev/null"
            assert shown["vdb"].extra_info == "rbd:pool/image"
            assert shown["vdb"].name == "image"
            assert shown["vdc"].size == 1
            assert {disk.number for disk in shown.values()} == {"0", "1", "2"}


def test_a_guest_that_is_started_while_it_loses_a_disk_keeps_the_disk(
    session: KvmSession, libvirtd: Libvirtd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plugging, "DETACH_SECONDS", 1)
    monkeypatch.setattr(plugging, "DETACH_AGAIN_SECONDS", 0.5)
    for bus, target, error in (("virtio", "vda", Busy), ("sata", "sda", InvalidState)):
        with (
            volume(session.connection, libvirtd.pool, GIB) as disk,
            foreign(session.connection, file_disk(disk.path(), target, bus)) as domain,
        ):
            # The last look before the definition is changed.
            with after("virDomainIsPersistent", domain.create, nth=1), pytest.raises(error):
                disk_delete(session, domain.UUIDString(), target)
            assert targets(domain) == [target]
            domain.destroy()
            assert targets(domain) == [target]
            assert disk.name() in volumes(session, libvirtd)


def test_nothing_is_deleted_when_another_disk_has_taken_the_place(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as old,
        volume(session.connection, libvirtd.pool, GIB) as new,
        foreign(session.connection, file_disk(old.path(), "vda", "virtio")) as domain,
    ):

        def replace() -> None:
            domain.updateDeviceFlags(file_disk(new.path(), "vda", "virtio"), CONFIG)

        with (
            after("virStoragePoolRefresh", replace, nth=1),
            pytest.raises(Conflict, match="was replaced by another client"),
        ):
            disk_delete(session, domain.UUIDString(), "vda")
        assert targets(domain) == ["vda"]
        assert {old.name(), new.name()} <= volumes(session, libvirtd)


def test_a_disk_of_which_somebody_takes_a_snapshot_meanwhile_is_not_deleted_below_it(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    with (
        volume(session.connection, libvirtd.pool, GIB) as disk,
        foreign(session.connection, file_disk(disk.path(), "vda", "virtio"), machine="pc") as domain,
    ):
        domain.create()
        overlay = libvirtd.pool_folder / "overlay.qcow2"
        text = (
            "<domainsnapshot><disks><disk name='vda' snapshot='external'>"
            f"<source file='{overlay}'/></disk></disks></domainsnapshot>"
        )
        flags = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY | libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_NO_METADATA
        with (
            after("virStoragePoolRefresh", lambda: domain.snapshotCreateXML(text, flags), nth=1),
            pytest.raises(Conflict, match="was replaced by another client"),
        ):
            disk_delete(session, domain.UUIDString(), "vda")
        assert disk.name() in volumes(session, libvirtd)
        domain.destroy()
        overlay.unlink()
