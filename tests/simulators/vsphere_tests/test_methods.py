"""How methods are added to the vSphere simulator."""

from collections.abc import Iterator
from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere import methods
from simulators.vsphere.calls import Call
from simulators.vsphere.methods import find_binding, method
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client

#: A method that nobody needs.
NAME = "ValidateMigration"
#: Another one, whose hosts need a privilege.
ON_HOSTS = "ClusterEnterMaintenanceMode"


@pytest.fixture(autouse=True)
def without_it() -> Iterator[None]:
    yield
    for key in ((NAME, vim.ServiceInstance), (ON_HOSTS, vim.ClusterComputeResource)):
        methods._BINDINGS.pop(key, None)


def call_it(client: Client) -> Any:
    return client.service.ValidateMigration([client.vm("vm-0")], testType=["source"])


def test_a_method_gets_all_parameters_by_name_and_objects_for_references(client: Client) -> None:
    given: dict[str, Any] = {}

    @method(vim.ServiceInstance, NAME)
    def validate(_call: Call, **parameters: Any) -> list[Any]:
        given.update(parameters)
        return []

    assert call_it(client) == []
    assert given.keys() == {"vm", "state", "test_type", "pool", "host"}
    assert [each["name"] for each in given["vm"]] == ["vm-0"]
    assert (given["test_type"], given["state"], given["pool"]) == (["source"], None, None)


def test_objects_that_are_passed_may_need_a_privilege(connect: Any, client: Client) -> None:
    @method(vim.ClusterComputeResource, ON_HOSTS)
    def enter(_call: Call, **_parameters: Any) -> Any:
        return vim.cluster.EnterMaintenanceResult()

    for user, is_permitted in ((client, True), (connect("reader@vsphere.local"), False)):
        cluster = user.find(vim.ClusterComputeResource, "cluster-1")
        host = cluster.host[0]
        if is_permitted:
            assert cluster.EnterMaintenanceMode([host])
        else:
            with pytest.raises(vim.fault.NoPermission) as raised:
                cluster.EnterMaintenanceMode([host])
            assert (raised.value.object, raised.value.privilegeId) == (host, "Host.Config.Maintenance")


def test_a_fault_that_a_method_does_not_declare_is_a_defect(client: Client, simulator: Simulator) -> None:
    @method(vim.ServiceInstance, NAME)
    def validate(_call: Call, **_parameters: Any) -> list[Any]:
        raise vim.fault.NotFound

    with pytest.raises(vim.fault.NotFound):
        call_it(client)
    assert simulator.defects == [f"{NAME} does not declare vim.fault.NotFound"]
    simulator.defects.clear()


def test_an_exception_is_a_defect_that_the_client_sees(client: Client, simulator: Simulator) -> None:
    @method(vim.ServiceInstance, NAME)
    def validate(_call: Call, **_parameters: Any) -> list[Any]:
        raise ZeroDivisionError

    with pytest.raises(vmodl.fault.SystemError):
        call_it(client)
    assert simulator.defects == [f"{NAME}: ZeroDivisionError()"]
    simulator.defects.clear()


def test_a_method_of_another_type_or_with_other_parameters_cannot_be_added() -> None:
    def handler(_call: Call, vm: Any) -> None:
        """Do nothing."""

    with pytest.raises(AssertionError, match="has no method"):
        method(vim.Folder, NAME)
    with pytest.raises(AssertionError, match="has no method"):
        method(vim.Folder, "Nothing")
    with pytest.raises(AssertionError, match="takes"):
        method(vim.ServiceInstance, NAME)(handler)
    with pytest.raises(AssertionError, match="needs a privilege"):
        method(vim.Task, "CancelTask")
    with pytest.raises(AssertionError, match="registered twice"):
        method(vim.ServiceInstance, "CurrentTime")(lambda _call: None)


def test_the_most_derived_type_has_its_own_method() -> None:
    assert find_binding("Rename_Task", vim.VirtualMachine) is not None
    assert find_binding("Rename_Task", vim.Task) is None
