"""Pools of several hosts of the XAPI simulator."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from simulators.https import running
from simulators.records import disk_values, drive_values
from simulators.refusals import refused
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator


@pytest.fixture
def two(context: ssl.SSLContext, connect: Callable[..., Any]) -> Iterator[tuple[Any, Server]]:
    """Give a session of a pool with two hosts, and the pool."""
    with running(Server(Simulator(hosts=2), context)) as server:
        yield connect(server).xenapi, server


def test_each_host_has_storage_of_its_own_and_both_share_some(two: tuple[Any, Server]) -> None:
    api, _ = two
    hosts = api.host.get_all()
    records = [record for record in api.SR.get_all_records().values() if record["type"] != "udev"]
    reached = {
        record["name_label"]: [api.PBD.get_host(plug) for plug in record["PBDs"]] for record in records
    }
    assert reached == {
        "Local storage": hosts[:1],
        "Local storage of xen-2": hosts[1:],
        "Shared storage": hosts,
        "ISO library": hosts,
    }
    assert api.SR.get_shared(api.SR.get_by_name_label("Shared storage")[0])
    assert not api.SR.get_shared(api.SR.get_by_name_label("Local storage")[0])


def test_a_vm_runs_where_its_disks_are(two: tuple[Any, Server]) -> None:
    api, _ = two
    first, second = api.host.get_all()
    (vm,) = api.VM.get_by_name_label("vm-0")
    (local,) = api.SR.get_by_name_label("Local storage")
    assert api.VM.get_possible_hosts(vm) == [first]
    for refusal in (
        refused(api.VM.start_on, vm, second, False, False),
        refused(api.VM.assert_can_boot_here, vm, second),
    ):
        assert refusal == ["VM_REQUIRES_SR", vm, local]
    (shared,) = api.SR.get_by_name_label("Shared storage")
    moved = api.VM.copy(vm, "moved", shared)
    assert api.VM.get_possible_hosts(moved) == [first, second]
    api.VM.start_on(moved, second, False, False)
    assert (api.VM.get_resident_on(moved), api.host.get_resident_VMs(second)[1:]) == (second, [moved])
    api.VM.clean_reboot(moved)
    assert api.VM.get_resident_on(moved) == second
    api.VM.hard_shutdown(moved)
    api.VM.set_affinity(moved, second)
    api.VM.start(moved, False, False)
    assert api.VM.get_resident_on(moved) == second


def test_a_vm_with_disks_on_either_host_runs_nowhere(two: tuple[Any, Server]) -> None:
    api, _ = two
    (vm,) = api.VM.get_by_name_label("vm-0")
    (other,) = api.SR.get_by_name_label("Local storage of xen-2")
    api.VBD.create(drive_values(vm, api.VDI.create(disk_values(other))))
    assert refused(api.VM.start, vm, False, False) == ["NO_HOSTS_AVAILABLE"]


def test_a_vlan_is_made_on_each_live_host(two: tuple[Any, Server]) -> None:
    api, server = two
    first, second = api.host.get_all()
    pif = next(ref for ref, record in api.PIF.get_all_records().items() if record["device"] == "eth1")

    def vlan(name: str, tag: str) -> list[str]:
        network = api.network.create({"name_label": name, "MTU": "1500", "other_config": {}})
        return [api.PIF.get_host(made) for made in api.pool.create_VLAN_from_PIF(pif, network, tag)]

    assert vlan("dmz", "7") == [first, second]
    server.simulator.database.get("host_metrics", api.host.get_metrics(second))["live"] = False
    assert vlan("inner", "8") == [first]


def test_a_suspended_vm_goes_on_where_its_disks_are(two: tuple[Any, Server]) -> None:
    api, _ = two
    first, second = api.host.get_all()
    (shared,) = api.SR.get_by_name_label("Shared storage")
    (pool,) = api.pool.get_all()
    api.pool.set_suspend_image_SR(pool, shared)
    vm = api.VM.copy(api.VM.get_by_name_label("vm-0")[0], "moved", shared)
    api.VM.start_on(vm, first, False, False)
    api.VM.suspend(vm)
    api.VM.resume_on(vm, second, False, False)
    assert api.VM.get_resident_on(vm) == second
