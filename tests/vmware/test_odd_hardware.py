"""Guests with unusual hardware: no CD drive, no disks, raw devices, shared buses, many snapshots."""

from typing import Any

import pytest
from pyVmomi import vim

from simplestack_vmware.hooks.disks import disk_delete, disk_list
from simplestack_vmware.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_vmware.hooks.interfaces import network_interface_list
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.snapshots import snapshot_create, snapshot_delete, snapshot_info, snapshot_list
from support.vsphere import Host

from .conftest import Connect
from .deletions import Delete, both, disks, has_first_disk, id_of

Device = vim.vm.device
HDD = frozenset({"hdd"})


def without(host: Host, kind: Any) -> None:
    """Take all devices of a kind out of a VM."""
    with host.simulator.database.lock:
        hardware = host.vm()["config"].hardware
        hardware.device = [each for each in hardware.device if not isinstance(each, kind)]
        host.vm().touch()


def test_a_guest_without_a_cd_drive_has_no_media(either: Host, log_in: Connect) -> None:
    session = log_in(either)
    without(either, Device.VirtualCdrom)
    assert media_info(session, id_of(either)).name is None


def test_a_guest_without_disks_or_interfaces_is_shown_and_deleted(either: Host, log_in: Connect) -> None:
    session, guest = log_in(either), id_of(either)
    without(either, Device.VirtualDisk)
    without(either, Device.VirtualEthernetCard)
    assert guest_info(session, guest).hdd == 0
    assert (disk_list(session, guest), network_interface_list(session, guest)) == ([], [])
    guest_delete(session, guest)
    assert guest not in {each.id for each in guest_list(session, HDD)}
    assert has_first_disk(either), "the file is of no disk of the guest"


def test_a_disk_of_no_size_is_one_of_unknown_size(either: Host, log_in: Connect) -> None:
    """As of a file that vSphere cannot read."""
    session = log_in(either)
    with either.simulator.database.lock:
        disks(either)[0].capacityInBytes = disks(either)[0].capacityInKB = 0
        either.vm().touch()
    assert [disk.size for disk in disk_list(session, id_of(either))] == [None, 2]
    assert guest_info(session, id_of(either)).hdd is None


def map_raw_device(host: Host) -> None:
    """Let the first disk of a VM be a device of the storage, as its file says."""
    with host.simulator.database.lock:
        disk = disks(host)[0]
        disk.backing = Device.VirtualDisk.RawDiskMappingVer1BackingInfo(
            fileName=disk.backing.fileName,
            datastore=disk.backing.datastore,
            deviceName="vml.0200000000",
            compatibilityMode="physicalMode",
            diskMode="independent_persistent",
        )
        host.vm().touch()


def test_a_raw_device_mapping_is_shown_and_stays_when_its_disk_is_deleted(
    either: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    session, guest = log_in(either), id_of(either)
    map_raw_device(either)
    assert [disk.size for disk in disk_list(session, guest)] == [8, 2]
    assert guest_info(session, guest).hdd == 10
    disk_delete(session, guest, "2000")
    assert has_first_disk(either)
    assert "it is a VirtualDiskRawDiskMappingVer1BackingInfo" in caplog.text


@both
@pytest.mark.parametrize("sharing", ["physicalSharing", "virtualSharing"])
def test_a_disk_on_a_shared_bus_is_shown_and_stays(
    either: Host, log_in: Connect, sharing: str, delete: Delete, caplog: pytest.LogCaptureFixture
) -> None:
    session = log_in(either)
    with either.simulator.database.lock:
        for each in either.vm()["config.hardware.device"]:
            if isinstance(each, Device.VirtualSCSIController):
                each.sharedBus = Device.VirtualSCSIController.Sharing(sharing)
        either.vm().touch()
    assert len(disk_list(session, id_of(either))) == 2
    delete(session, either)
    assert has_first_disk(either)
    assert "other guests may share it" in caplog.text


def test_a_tree_of_snapshots_may_be_30_deep(either: Host, log_in: Connect) -> None:
    session, guest = log_in(either), id_of(either)
    made = [snapshot_create(session, guest, f"s{number}") for number in range(30)]
    assert snapshot_list(session, guest) == made
    assert made[-1].path == "/".join(f"s{number}" for number in range(30))
    assert snapshot_info(session, guest, made[29].id) == made[29]
    snapshot_delete(session, guest, made[10].id)
    assert [each.name for each in snapshot_list(session, guest)] == [
        f"s{number}" for number in range(30) if number != 10
    ]
