"""Waiting for changes through ``PropertyCollector``."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.database import Object
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, PropertyCollector

Options = PropertyCollector.WaitOptions


@pytest.fixture
def stored(simulator: Simulator, vm: Any) -> Object:
    """Give the VM as the simulator has it."""
    return simulator.database.get(vim.VirtualMachine(vm._moId))


@pytest.fixture
def collector(client: Client) -> Any:
    return client.content.propertyCollector.CreatePropertyCollector()


def wait(collector: Any, version: str, seconds: int = 0, limit: int | None = None) -> Any:
    return collector.WaitForUpdatesEx(version, Options(maxWaitSeconds=seconds, maxObjectUpdates=limit))


def changes(updates: Any) -> dict[str, Any]:
    """Return the changes of the only object of an update."""
    (of_filter,) = updates.filterSet
    (update,) = of_filter.objectSet
    return {each.name: each.val for each in update.changeSet}


def test_first_all_objects_enter_and_then_changes_come(
    client: Client, collector: Any, vm: Any, stored: Object
) -> None:
    collector.CreateFilter(client.spec(vim.VirtualMachine, "name", "config.annotation", obj=vm), False)
    first = wait(collector, "")
    assert first.filterSet[0].objectSet[0].kind == "enter"
    assert changes(first) == {"name": "vm-0", "config.annotation": ""}
    assert wait(collector, first.version) is None
    stored["config.annotation"] = "mine"
    second = wait(collector, first.version)
    assert second.filterSet[0].objectSet[0].kind == "modify"
    assert changes(second) == {"config.annotation": "mine"}
    assert changes(wait(collector, first.version)) == {"config.annotation": "mine"}, (
        "its response may be lost"
    )
    with pytest.raises(vmodl.query.InvalidCollectorVersion):
        wait(collector, "99")


def test_changes_of_other_properties_are_none(
    client: Client, collector: Any, vm: Any, stored: Object
) -> None:
    collector.CreateFilter(client.spec(vim.VirtualMachine, "name", obj=vm), False)
    first = wait(collector, "")
    stored["config.annotation"] = "mine"
    assert wait(collector, first.version) is None


def test_objects_leave_and_enter(
    client: Client, collector: Any, simulator: Simulator, stored: Object
) -> None:
    collector.CreateFilter(client.spec(vim.VirtualMachine, "name"), False)
    first = wait(collector, "")
    assert len(first.filterSet[0].objectSet) == 5
    with simulator.database.lock:
        simulator.database.remove(stored)
    (update,) = wait(collector, first.version).filterSet[0].objectSet
    assert (update.kind, update.obj._moId, update.changeSet) == ("leave", stored.id, [])


def test_updates_come_in_portions(client: Client, collector: Any) -> None:
    collector.CreateFilter(client.spec(vim.VirtualMachine, "name"), False)
    seen: list[str] = []
    version, truncated = "", True
    while truncated:
        found = wait(collector, version, limit=2)
        assert len(found.filterSet[0].objectSet) <= 2
        seen += [each.obj._moId for each in found.filterSet[0].objectSet]
        version, truncated = found.version, found.truncated
    assert len(seen) == len(set(seen)) == 5


def test_updates_of_several_filters_come_in_portions(client: Client, collector: Any) -> None:
    for kind in (vim.VirtualMachine, vim.HostSystem, vim.Datacenter, vim.StoragePod):
        collector.CreateFilter(client.spec(kind, "name"), False)
    seen: list[Any] = []
    version, truncated = "", True
    while truncated:
        found = wait(collector, version, limit=3)
        updates = [each for of_filter in found.filterSet for each in of_filter.objectSet]
        assert len(updates) <= 3
        assert {each.kind for each in updates} == {"enter"}
        seen += [each.obj for each in updates]
        version, truncated = found.version, found.truncated
    assert len(seen) == len(set(seen)) == 5 + 4 + 1


def test_partial_updates_name_what_has_changed(
    client: Client, collector: Any, vm: Any, stored: Object
) -> None:
    collector.CreateFilter(
        client.spec(vim.VirtualMachine, "config.hardware", "config.extraConfig", obj=vm), True
    )
    first = wait(collector, "")
    hardware = stored["config.hardware"]
    hardware.numCPU = 4
    hardware.device = [each for each in hardware.device if each.key != 2001]
    next(each for each in hardware.device if each.key == 2000).capacityInKB *= 2
    stored["config"].extraConfig.append(vim.option.OptionValue(key="a", value="b"))
    stored.touch()
    found = changes(wait(collector, first.version))
    assert found.keys() == {
        "config.hardware.numCPU",
        "config.hardware.device[2001]",
        "config.hardware.device[2000].capacityInKB",
        'config.extraConfig["a"]',
    }
    assert found["config.hardware.numCPU"] == 4
    assert found["config.hardware.device[2001]"] is None
    assert found['config.extraConfig["a"]'].value == "b"


def test_a_property_that_is_unset_is_told(client: Client, collector: Any, vm: Any, stored: Object) -> None:
    collector.CreateFilter(client.spec(vim.VirtualMachine, "resourcePool", obj=vm), False)
    first = wait(collector, "")
    stored["resourcePool"] = None
    (update,) = wait(collector, first.version).filterSet[0].objectSet
    assert [(each.name, each.op, each.val) for each in update.changeSet] == [("resourcePool", "assign", None)]


@pytest.fixture
def waiting(client: Client, collector: Any, vm: Any, simulator: Simulator) -> Iterator[Any]:
    """Give a call that waits for updates: `waiting()` joins it and returns what it has returned or raised."""
    collector.CreateFilter(client.spec(vim.VirtualMachine, "name", obj=vm), False)
    version = wait(collector, "").version
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(wait(collector, version, seconds=20))
        except vmodl.MethodFault as fault:
            results.append(fault)

    thread = threading.Thread(target=run)
    thread.start()
    with simulator.database.lock:
        while not any(found.waiting for found in simulator.collectors.values()):
            simulator.database.changes.wait(0.01)

    def joined() -> Any:
        thread.join(20)
        (result,) = results
        return result

    yield joined
    thread.join(20)


def test_a_waiting_call_returns_as_soon_as_something_changes(waiting: Any, stored: Object) -> None:
    stored["name"] = "other"
    assert changes(waiting()) == {"name": "other"}


def test_a_waiting_call_can_be_cancelled(waiting: Any, collector: Any) -> None:
    collector.CancelWaitForUpdates()
    assert isinstance(waiting(), vmodl.fault.RequestCanceled)


def test_a_waiting_call_ends_with_its_session(waiting: Any, client: Client) -> None:
    client.content.sessionManager.Logout()
    assert isinstance(waiting(), vim.fault.NotAuthenticated)


def test_a_waiting_call_ends_with_its_collector(waiting: Any, collector: Any) -> None:
    collector.Destroy()
    assert isinstance(waiting(), vmodl.fault.ManagedObjectNotFound)


def test_a_filter_that_is_destroyed_tells_nothing(
    client: Client, collector: Any, vm: Any, stored: Object
) -> None:
    made = collector.CreateFilter(client.spec(vim.VirtualMachine, "name", obj=vm), False)
    version = wait(collector, "").version
    made.Destroy()
    stored["name"] = "other"
    assert wait(collector, version) is None
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        made.Destroy()


def test_a_filter_with_an_unknown_path_is_not_made(
    client: Client, collector: Any, simulator: Simulator
) -> None:
    with pytest.raises(vmodl.query.InvalidProperty):
        collector.CreateFilter(client.spec(vim.VirtualMachine, "nothing"), False)
    assert "PropertyFilter" not in simulator.database.counts()


def test_the_common_collector_cannot_be_destroyed(client: Client) -> None:
    with pytest.raises(vmodl.fault.NotSupported):
        client.content.propertyCollector.Destroy()
