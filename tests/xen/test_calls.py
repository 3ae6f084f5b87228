"""How many messages each operation sends: what it costs where each takes its time on the way."""

import uuid
from collections.abc import Callable

import pytest

from simplestack import DiskCreate
from simplestack_xen.hooks.disks import disk_create, disk_list
from simplestack_xen.hooks.guests import guest_info, guest_list
from simplestack_xen.hooks.hosts import host_list
from simplestack_xen.hooks.interfaces import network_interface_list
from simplestack_xen.hooks.networks import network_list
from simplestack_xen.hooks.pools import pool_info
from simplestack_xen.hooks.snapshots import snapshot_list
from simplestack_xen.hooks.storages import storage_list
from simplestack_xen.xapi.records import VbdRecord
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.simulator import Simulator
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect

ALL = frozenset({"id", "name", "cpus", "memory", "hdd", "state", "ip", "host", "tools_up_to_date"})


def calls(pool: Pool) -> int:
    """Return how many messages came since this was last asked."""
    made = sum(pool.simulator.counts.values())
    pool.simulator.counts.clear()
    return made


@pytest.mark.parametrize("vms", [10, 2_000])
def test_a_list_takes_as_many_messages_whatever_its_length(
    trust: Trust, log_in: Connect, wire: str, vms: int, record_property: Callable[[str, object], None]
) -> None:
    with running_pool(trust, Simulator(vms=vms), speaks_json=wire == "JSON-RPC") as pool:
        session = log_in(pool)
        calls(pool)
        assert len(guest_list(session, ALL)) == vms
        made = calls(pool)
        record_property("calls", made)
        assert made == 5
        assert len(guest_list(session, frozenset({"id", "name", "state"}))) == vms
        assert calls(pool) == 1


@pytest.mark.parametrize("vms", [3, 500])
@pytest.mark.parametrize(("disks", "messages"), [(1, 5), (8, 10), (12, 3)])
def test_one_guest_takes_a_message_for_each_thing_it_has_or_three_where_it_has_many(
    trust: Trust, log_in: Connect, vms: int, disks: int, messages: int
) -> None:
    """XAPI answers `event.from`, which tells of many things at once, 50 ms later than anything else."""
    with running_pool(trust, Simulator(vms=vms)) as pool:
        session = log_in(pool)
        vm = pool.vm()
        _give_disks(session, pool, disks - 1)
        session.tasks.run.VM.start(vm.ref, False, False)
        session.known_refs.clear()
        calls(pool)
        for expected in (messages + 1, messages):
            shown = guest_info(session, vm["uuid"])
            assert (shown.hdd, shown.host) == (8 * disks, "xen-1")
            assert shown.ip is not None
            assert pool.simulator.counts["event.from"] == (0 if disks == 1 else 1 if disks == 8 else 2)
            assert calls(pool) == expected
        assert len(disk_list(session, vm["uuid"])) == disks
        assert calls(pool) == (1 + 2 * disks if disks <= 8 else 3)


def test_old_data_of_the_tools_of_a_stopped_guest_is_not_read(pool: Pool, session: XenSession) -> None:
    """XAPI keeps it until the guest starts again; responses do not show it."""
    vm = pool.vm()
    session.tasks.run.VM.start(vm.ref, False, False)
    assert guest_info(session, vm["uuid"]).ip is not None
    session.tasks.run.VM.hard_shutdown(vm.ref)
    pool.simulator.counts.clear()
    assert guest_info(session, vm["uuid"]).ip is None
    assert pool.simulator.counts["VM_guest_metrics.get_record"] == 0
    assert calls(pool) == 3
    assert [guest.ip for guest in guest_list(session, ALL)] == [None] * 3


def test_thousands_of_references_are_asked_for_in_requests_that_xapi_takes(
    pool: Pool, session: XenSession, wire: str
) -> None:
    """It refuses those of more than 300 KiB."""
    session.api._speaks_json = wire == "JSON-RPC"
    own = pool.vm()["VBDs"]
    gone = [f"OpaqueRef:{uuid.uuid4()}" for _ in range(5_000)]
    calls(pool)
    assert list(session.api.read_some(VbdRecord, "VBD", [*gone, *own])) == own
    assert calls(pool) == 3


def test_other_lists_take_a_constant_number_of_messages(pool: Pool, session: XenSession) -> None:
    uuid = pool.vm()["uuid"]
    for number in range(3):
        session.tasks.run.VM.snapshot(pool.vm().ref, f"snapshot {number}")
    calls(pool)
    found = {}
    ways: dict[str, Callable[[], object]] = {
        "snapshots": lambda: snapshot_list(session, uuid),
        "interfaces": lambda: network_interface_list(session, uuid),
        "networks": lambda: network_list(session),
        "storages": lambda: storage_list(session),
        "hosts": lambda: host_list(session),
        "pool": lambda: pool_info(session),
    }
    for name, listed in ways.items():
        session.known_refs.clear()
        listed()
        found[name] = calls(pool)
    assert found == {"snapshots": 5, "interfaces": 4, "networks": 1, "storages": 1, "hosts": 1, "pool": 3}


def _give_disks(session: XenSession, pool: Pool, number: int) -> None:
    for _ in range(number):
        disk_create(session, pool.vm()["uuid"], DiskCreate(size=8))
