"""Which volumes are deleted with their guest or disk: never one that somebody else uses."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import libvirt
import pytest

from simplestack import MIB
from simplestack_kvm.hooks.disks import disk_delete
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign, volume

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG

User = Callable[["libvirt.virConnect", str], AbstractContextManager[object]]


def defined_with(device: str) -> User:
    """Let a guest that is off have a device, in which PATH is the volume's path."""
    return lambda connection, path: foreign(connection, device.replace("PATH", path))


def running_with(flags: int) -> User:
    """Let a running guest have the volume in one of its descriptions: as it runs, or as it starts next."""

    @contextmanager
    def use(connection: "libvirt.virConnect", path: str) -> Iterator[None]:
        with foreign(connection, machine="pc") as other:
            other.createWithFlags(PAUSED)
            other.attachDeviceFlags(file_disk(path, "vda", "virtio"), flags)
            yield

    return use


#: How another guest may use a volume.
USERS: dict[str, User] = {
    "as a disk": defined_with(file_disk("PATH", "vda", "virtio")),
    "as a CD": defined_with(file_disk("PATH", "sda", "sata", device="cdrom")),
    "as a floppy": defined_with(file_disk("PATH", "fda", "fdc", device="floppy")),
    "as a block device": defined_with(
        "<disk type='block' device='disk'><source dev='PATH'/><target dev='vda' bus='virtio'/></disk>"
    ),
    "as what its disk is based on": defined_with(
        file_disk(
            "/nonexistent/overlay",
            "vda",
            "virtio",
            more="<backingStore type='file'><format type='qcow2'/><source file='PATH'/><backingStore/>"
            "</backingStore>",
        )
    ),
    "while it runs": running_with(LIVE),
    "when it starts next": running_with(CONFIG),
}


def delete_guest(session: KvmSession, guest_id: str) -> None:
    guest_delete(session, guest_id)


def delete_disk(session: KvmSession, guest_id: str) -> None:
    disk_delete(session, guest_id, "vda")


def volumes(session: KvmSession, libvirtd: Libvirtd) -> set[str]:
    return set(session.connection.storagePoolLookupByName(libvirtd.pool).listVolumes())


def test_deletion_keeps_what_others_use(session: KvmSession, libvirtd: Libvirtd) -> None:
    connection = session.connection
    with (
        volume(connection, libvirtd.pool, MIB) as own,
        volume(connection, libvirtd.pool, MIB) as both,
        volume(connection, libvirtd.pool, MIB) as shareable,
        volume(connection, libvirtd.pool, MIB) as medium,
        volume(connection, libvirtd.pool, MIB) as based_on,
    ):
        pool = connection.storagePoolLookupByName(libvirtd.pool)
        overlay = pool.createXML(
            "<volume><name>overlay</name><capacity>1048576</capacity>"
            "<target><format type='qcow2'/></target>"
            f"<backingStore><path>{based_on.path()}</path><format type='qcow2'/></backingStore></volume>"
        )
        source = f"<source pool='{libvirtd.pool}' volume='{both.name()}'/>"
        other = (
            f"<disk type='volume' device='disk'><driver name='qemu' type='qcow2'/>{source}"
            "<target dev='vda' bus='virtio'/></disk>"
        )
        devices = "".join(
            [
                file_disk(own.path(), "vda", "virtio"),
                file_disk(both.path(), "vdb", "virtio"),
                file_disk(shareable.path(), "vdc", "virtio", more="<shareable/>"),
                file_disk(based_on.path(), "vdd", "virtio"),
                file_disk(medium.path(), "sda", "sata", device="cdrom"),
            ]
        )
        with foreign(connection, devices) as domain, foreign(connection, other):
            guest_delete(session, domain.UUIDString())
            left = {volume.name() for volume in pool.listAllVolumes()}
            assert own.name() not in left
            assert {both.name(), shareable.name(), medium.name(), based_on.name()} <= left
        overlay.delete()


@pytest.mark.parametrize("delete", [delete_guest, delete_disk])
@pytest.mark.parametrize("use", USERS)
def test_a_volume_that_another_guest_uses_stays_until_it_does_not(
    session: KvmSession, libvirtd: Libvirtd, use: str, delete: Callable[[KvmSession, str], None]
) -> None:
    connection = session.connection
    with volume(connection, libvirtd.pool, MIB) as disk:
        mine = file_disk(disk.path(), "vda", "virtio")
        with foreign(connection, mine) as domain, USERS[use](connection, disk.path()):
            delete(session, domain.UUIDString())
            assert disk.name() in volumes(session, libvirtd)
        with foreign(connection, mine) as domain:
            delete(session, domain.UUIDString())
            assert disk.name() not in volumes(session, libvirtd)


def test_a_volume_that_the_guest_may_only_read_stays(session: KvmSession, libvirtd: Libvirtd) -> None:
    with volume(session.connection, libvirtd.pool, MIB) as disk:
        with foreign(
            session.connection, file_disk(disk.path(), "vda", "virtio", more="<readonly/>")
        ) as domain:
            guest_delete(session, domain.UUIDString())
        assert disk.name() in volumes(session, libvirtd)


def test_volumes_whose_files_are_gone_hide_no_overlay(session: KvmSession, libvirtd: Libvirtd) -> None:
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    gone = [f"gone-{number}" for number in range(20)]  # many: libvirt lists volumes in an order of its own
    for name in gone:
        pool.createXML(f"<volume><name>{name}</name><capacity>512</capacity></volume>")
    with volume(session.connection, libvirtd.pool, MIB) as disk:
        overlay = pool.createXML(
            "<volume><name>overlay</name><capacity>1048576</capacity><target><format type='qcow2'/></target>"
            f"<backingStore><path>{disk.path()}</path><format type='qcow2'/></backingStore></volume>"
        )
        for name in gone:
            Path(libvirtd.pool_folder, name).unlink()
        try:
            with foreign(session.connection, file_disk(disk.path(), "vda", "virtio")) as domain:
                guest_delete(session, domain.UUIDString())
            assert disk.name() in volumes(session, libvirtd)
        finally:
            overlay.delete()
            pool.refresh()
