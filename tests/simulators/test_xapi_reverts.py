"""The way back to a snapshot on the XAPI simulator whose storages take disks back where they are."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulators.https import running
from simulators.records import GIB, disk_values, drive_values
from simulators.refusals import refused
from simulators.vms import disks
from simulators.xapi.faults import Rule
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator


@pytest.fixture
def server(context: ssl.SSLContext) -> Iterator[Server]:
    with running(Server(Simulator(reverts_disks=True), context)) as made:
        yield made


@pytest.fixture
def session(server: Server, connect: Callable[..., Any]) -> Any:
    return connect(server)


def content(server: Server, disk: str) -> object:
    """Return what is on a disk."""
    found = server.simulator.database.get("VDI", disk)
    return server.simulator.storage.content(found)


def test_disks_stay_where_they_are_with_what_they_had_and_later_ones_are_taken_out(
    server: Server, session: Any, vm: str, storage: str
) -> None:
    api = session.xenapi
    (disk,), (drive,) = disks(session, vm), api.VM.get_VBDs(vm)
    snapshot = api.VM.snapshot(vm, "then")
    (kept,) = disks(session, snapshot)
    api.VDI.resize(disk, str(9 * GIB))
    later = api.VDI.create(disk_values(storage, GIB))
    api.VBD.create(drive_values(vm, later))
    api.VM.revert(snapshot)
    assert (disks(session, vm), api.VM.get_VBDs(vm)) == ([disk], [drive])
    assert api.VDI.get_virtual_size(disk) == str(8 * GIB)
    assert content(server, disk) == content(server, kept)
    assert api.VDI.get_VBDs(later) == []


def test_a_disk_that_the_vm_lacks_by_now_comes_back_as_a_clone(session: Any, vm: str) -> None:
    api = session.xenapi
    (disk,) = disks(session, vm)
    snapshot = api.VM.snapshot(vm, "then")
    api.VDI.destroy(disk)
    api.VM.revert(snapshot)
    (made,) = disks(session, vm)
    assert made != disk


def test_one_that_fails_half_way_leaves_all_drives_in_their_place(
    server: Server, session: Any, vm: str, storage: str
) -> None:
    api = session.xenapi
    second = api.VDI.create(disk_values(storage, GIB))
    api.VBD.create(drive_values(vm, second))
    first, drives = disks(session, vm)[0], api.VM.get_VBDs(vm)
    snapshot = api.VM.snapshot(vm, "then")
    for disk in (first, second):
        api.VDI.resize(disk, str(9 * GIB))
    server.simulator.faults.add(Rule(message="VDI.revert", code="SR_BACKEND_FAILURE_46", after=1))
    assert refused(api.VM.revert, snapshot) == ["VM_REVERT_FAILED", snapshot, vm]
    assert api.VM.get_VBDs(vm) == drives
    sizes = {api.VDI.get_virtual_size(disk) for disk in (first, second)}
    assert sizes == {str(8 * GIB), str(9 * GIB)}
