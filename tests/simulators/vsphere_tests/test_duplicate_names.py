"""Two clients that make objects of one name at once, in the vSphere simulator: one of them succeeds."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch
from simulators.vsphere_tests.test_creation import files, place, spec
from simulators.vsphere_tests.test_imports import begin
from simulators.vsphere_tests.waiting import wait_until

Act = Callable[[Client], Any]


def create(client: Client) -> Any:
    folder, pool = place(client)
    return folder.CreateVm(spec("new", path=f"[{client.vm('vm-0').datastore[0].name}]"), pool)


def clone(client: Client) -> Any:
    vm = client.vm("vm-0")
    return vm.CloneVM_Task(vm.parent, "new", vim.vm.CloneSpec(location=vim.vm.RelocateSpec()))


def rename(client: Client) -> Any:
    return client.vm("vm-2").Rename("new")


def reconfigure(client: Client) -> Any:
    return client.vm("vm-2").Reconfigure(vim.vm.ConfigSpec(name="new"))


def outcomes(client: Client, tasks: list[Any]) -> list[str]:
    """Wait for the end of tasks, and return their faults."""
    for task in tasks:
        wait_until(client, task, "info.state", "success", "error")
    return sorted("" if task.info.error is None else type(task.info.error).__name__ for task in tasks)


def let_wait(fetch: Fetch) -> None:
    """Let all tasks that begin now wait, so that they check names after all have begun."""
    for method in ("CreateVM_Task", "CloneVM_Task", "Rename_Task", "ReconfigVM_Task"):
        rule = {"method": method, "effect": "hold"}
        for _ in range(2):
            assert fetch("POST", "/simulator/faults", rule) == (204, b"")


@pytest.mark.parametrize(
    ("product", "first", "second"),
    [
        *((VCENTER, create, other) for other in (create, clone, rename, reconfigure)),
        *((VCENTER, clone, other) for other in (clone, rename)),
        *((ESXI, create, other) for other in (create, rename, reconfigure)),
    ],
)
def test_one_task_gets_the_name(
    client: Client, simulator: Simulator, fetch: Fetch, *, first: Act, second: Act
) -> None:
    before = set(files(simulator))
    let_wait(fetch)
    tasks = [first(client), second(client)]
    for task in tasks:
        wait_until(client, task, "info.state", "running")
    fetch("DELETE", "/simulator/faults")
    assert outcomes(client, tasks) == ["", "vim.fault.DuplicateName"]
    assert client.values(vim.VirtualMachine, "name").count("new") == 1
    made = {each.split("/")[0] for each in set(files(simulator)) - before}
    assert len(made) <= 1


@pytest.mark.usefixtures("lease_server")
def test_an_import_takes_its_name_at_once(client: Client, fetch: Fetch) -> None:
    let_wait(fetch)
    task = create(client)
    wait_until(client, task, "info.state", "running")
    lease = begin(client, name="new")
    with pytest.raises(vim.fault.DuplicateName):
        begin(client, name="new")
    fetch("DELETE", "/simulator/faults")
    assert outcomes(client, [task]) == ["vim.fault.DuplicateName"]
    wait_until(client, lease, "state", "ready")
    lease.HttpNfcLeaseAbort()
    assert outcomes(client, [create(client)]) == [""]
