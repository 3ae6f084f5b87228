"""Storages of the XAPI simulator: what their drivers can do, and how they fail."""

from typing import Any

import pytest

from simulators.https import running
from simulators.records import GIB, NULL, disk_values
from simulators.refusals import refused
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator


def set_kind(server: Any, storage: str, kind: str) -> None:
    server.simulator.database.get("SR", storage)["type"] = kind


def fill(server: Any, storage: str, free: int = 0) -> None:
    """Leave so much room in a storage."""
    found = server.simulator.database.get("SR", storage)
    found["physical_size"] = found["physical_utilisation"] + free


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        ("simulated", ["SR_FULL", str(GIB), "0"]),
        ("lvm", ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]),
        ("nfs", ["SR_BACKEND_FAILURE_44", "", "There is insufficient space", ""]),
    ],
)
def test_a_full_storage_fails_as_its_driver_does(
    session: Any, server: Server, storage: str, kind: str, refusal: list[str]
) -> None:
    set_kind(server, storage, kind)
    fill(server, storage)
    assert refused(session.xenapi.VDI.create, disk_values(storage)) == refusal


def test_a_full_storage_is_ordered(session: Any, server: Server, storage: str) -> None:
    server.simulator.faults.add(Rule(message="VDI.create", code="SR_FULL", parameters=["2", "1"]))
    assert refused(session.xenapi.VDI.create, disk_values(storage)) == ["SR_FULL", "2", "1"]


def test_sizes_are_rounded_up_and_have_limits(session: Any, storage: str) -> None:
    api = session.xenapi
    for asked, made in ((0, 2 * 1024**2), (1, 2 * 1024**2), (GIB, GIB), (GIB + 1, GIB + 2 * 1024**2)):
        assert api.VDI.get_virtual_size(api.VDI.create(disk_values(storage, asked))) == str(made)
    for asked in (-1, 2041 * GIB):
        assert refused(api.VDI.create, disk_values(storage, asked))[0] == "SR_BACKEND_FAILURE_79"


def test_storages_of_media_take_no_disks(session: Any, storage: str) -> None:
    api = session.xenapi
    for label in ("ISO library", "DVD drives", "Removable storage"):
        (found,) = api.SR.get_by_name_label(label)
        assert refused(api.VDI.create, disk_values(found)) == ["SR_OPERATION_NOT_SUPPORTED", found]
        disk = api.VDI.create(disk_values(storage))
        assert refused(api.VDI.copy, disk, found) == ["SR_OPERATION_NOT_SUPPORTED", found]
    removable = api.SR.get_record(api.SR.get_by_name_label("DVD drives")[0])
    assert (removable["type"], removable["physical_size"]) == ("udev", removable["physical_utilisation"])
    assert refused(api.VDI.create, disk_values("OpaqueRef:x")) == ["HANDLE_INVALID", "SR", "OpaqueRef:x"]


def test_a_driver_that_lacks_something_says_so(session: Any, server: Server, vm: str, storage: str) -> None:
    api = session.xenapi
    disk = api.VDI.create(disk_values(storage))
    set_kind(server, storage, "hba")
    for call in (lambda: api.VDI.clone(disk, {}), lambda: api.VDI.resize(disk, str(2 * GIB))):
        assert refused(call) == ["SR_OPERATION_NOT_SUPPORTED", storage]
    assert refused(api.VM.snapshot, vm, "kept") == ["SR_OPERATION_NOT_SUPPORTED", storage]


def test_a_disk_in_use_is_neither_destroyed_nor_resized(session: Any, vm: str) -> None:
    api = session.xenapi
    disk = api.VBD.get_VDI(api.VM.get_VBDs(vm)[0])
    api.VM.start(vm, False, False)
    for suspend in (False, True):
        if suspend:
            api.VM.suspend(vm)
        assert refused(api.VDI.destroy, disk) == ["VDI_IN_USE", disk, "destroy"]
        assert refused(api.VDI.resize, disk, str(16 * GIB)) == ["VDI_IN_USE", disk, "resize"]
        assert refused(api.VDI.copy, disk, api.VDI.get_SR(disk)) == ["VDI_IN_USE", disk, "copy"]
    assert api.VDI.get_virtual_size(disk) == str(8 * GIB)


def test_a_snapshot_in_use_stays_its_disks(session: Any, vm: str) -> None:
    api = session.xenapi
    (drive,) = api.VM.get_VBDs(vm)
    disk = api.VBD.get_VDI(drive)
    kept = api.VDI.snapshot(disk, {})
    api.VBD.destroy(drive)
    values = {"VM": vm, "VDI": kept, "userdevice": "0", "bootable": True, "mode": "RO", "type": "Disk"}
    more = {"empty": False, "other_config": {}, "qos_algorithm_type": "", "qos_algorithm_params": {}}
    api.VBD.create(values | more)
    api.VM.start(vm, False, False)
    assert refused(api.VDI.destroy, kept) == ["VDI_IN_USE", kept, "destroy"]
    assert api.VDI.get_snapshots(disk) == [kept]


def test_a_disk_grows_online_where_storages_can(context: Any, connect: Any, session: Any, vm: str) -> None:
    api = session.xenapi
    disk = api.VBD.get_VDI(api.VM.get_VBDs(vm)[0])
    refusal = ["SR_OPERATION_NOT_SUPPORTED", api.VDI.get_SR(disk)]
    assert refused(api.VDI.resize_online, disk, str(16 * GIB)) == refusal
    with running(Server(Simulator(resizes_online=True), context)) as server:
        api = connect(server).xenapi
        vm = api.VM.get_by_name_label("vm-0")[0]
        disk = api.VBD.get_VDI(api.VM.get_VBDs(vm)[0])
        api.VM.start(vm, False, False)
        api.VDI.resize_online(disk, str(16 * GIB))
        assert api.VDI.get_virtual_size(disk) == str(16 * GIB)


def test_a_disk_is_copied_onto_another_that_is_as_big(session: Any, vm: str, storage: str) -> None:
    api = session.xenapi
    disk = api.VBD.get_VDI(api.VM.get_VBDs(vm)[0])
    small, big = (api.VDI.create(disk_values(storage, size * GIB)) for size in (4, 8))
    assert refused(api.VDI.copy, disk, NULL, NULL, small) == ["VDI_TOO_SMALL", small, str(8 * GIB)]
    before = len(api.VDI.get_all())
    assert api.VDI.copy(disk, NULL, NULL, big) == big
    assert len(api.VDI.get_all()) == before
