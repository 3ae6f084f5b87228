"""Reading properties through ``PropertyCollector``."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.sessions import Account
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, PropertyCollector, Raw, Selection, Traversal


def names(client: Client, kind: Any) -> list[str]:
    return sorted(client.values(kind, "name"))


def test_a_traversal_finds_all_objects_of_a_type_once(client: Client) -> None:
    assert names(client, vim.VirtualMachine) == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]
    assert names(client, vim.ClusterComputeResource) == ["cluster-1", "cluster-2"]
    assert len(names(client, vim.HostSystem)) == 4
    assert names(client, vim.VirtualApp) == ["shop"]
    assert names(client, vim.Network) == ["VM Network", "dvs-1-DVUplinks", "production"]


def test_a_traversal_may_lead_in_circles(client: Client, vm: Any) -> None:
    again = [Selection(name=name) for name in ("host", "vms")]
    to_host = Traversal(name="host", type=vim.VirtualMachine, path="runtime.host", selectSet=again)
    to_vms = Traversal(name="vms", type=vim.HostSystem, path="vm", selectSet=again)
    spec = client.spec(vim.ManagedEntity, "name", obj=vm)
    spec.objectSet[0].selectSet = [to_host, to_vms]
    found = client.content.propertyCollector.RetrieveContents([spec])
    assert sorted(each.propSet[0].val for each in found) == ["debian-12", "esx-11.example", "shop-db", "vm-0"]


def test_the_most_derived_type_says_which_properties_are_read(client: Client, vm: Any) -> None:
    spec = client.spec(vim.ManagedEntity, "overallStatus", obj=vm)
    spec.propSet = [*spec.propSet, PropertyCollector.PropertySpec(type=vim.VirtualMachine, pathSet=["name"])]
    (found,) = client.content.propertyCollector.RetrieveContents([spec])
    assert [each.name for each in found.propSet] == ["name"]


def test_objects_come_in_pages_and_the_last_has_no_token(client: Client) -> None:
    collector = client.content.propertyCollector
    page = client.retrieve(vim.VirtualMachine, "name", size=2)
    found = [each.obj._moId for each in page.objects]
    while page.token:
        page = collector.ContinueRetrievePropertiesEx(page.token)
        assert len(page.objects) <= 2
        found += [each.obj._moId for each in page.objects]
    assert len(found) == len(set(found)) == 5
    with pytest.raises(vmodl.fault.InvalidArgument):
        collector.ContinueRetrievePropertiesEx("7")


def test_a_vm_that_vanishes_between_two_pages_is_left_out(client: Client, simulator: Simulator) -> None:
    page = client.retrieve(vim.VirtualMachine, "name", size=1)
    with simulator.database.lock:
        gone = next(
            vm for vm in simulator.database.all(vim.VirtualMachine) if vm.id != page.objects[0].obj._moId
        )
        simulator.database.remove(gone)
    found = [page.objects[0].obj._moId]
    while page.token:
        page = client.content.propertyCollector.ContinueRetrievePropertiesEx(page.token)
        found += [each.obj._moId for each in page.objects]
    assert len(found) == 4
    assert gone.id not in found


def test_no_other_session_can_go_on_with_a_page(client: Client, connect: Any) -> None:
    token = client.retrieve(vim.VirtualMachine, "name", size=1).token
    other = connect()
    with pytest.raises(vmodl.fault.InvalidArgument):
        other.content.propertyCollector.ContinueRetrievePropertiesEx(token)
    assert client.content.propertyCollector.ContinueRetrievePropertiesEx(token).objects


def test_pages_that_are_cancelled_are_forgotten(client: Client) -> None:
    collector = client.content.propertyCollector
    token = client.retrieve(vim.VirtualMachine, "name", size=1).token
    collector.CancelRetrievePropertiesEx(token)
    with pytest.raises(vmodl.fault.InvalidArgument):
        collector.ContinueRetrievePropertiesEx(token)


def test_paths_may_lead_through_properties_and_keys(client: Client, vm: Any) -> None:
    paths = (
        "config.hardware.numCPU",
        "config.hardware.device[2000].backing.fileName",
        'config.extraConfig["svga.present"].value',
        "config.hardware.device[9999]",
        "snapshot.currentSnapshot",
    )
    (found,) = client.retrieve(vim.VirtualMachine, *paths, obj=vm).objects
    assert {each.name: each.val for each in found.propSet} == {
        "config.hardware.numCPU": 2,
        "config.hardware.device[2000].backing.fileName": "[shared-1] vm-0/vm-0.vmdk",
        'config.extraConfig["svga.present"].value': "TRUE",
    }
    assert found.missingSet == []


@pytest.mark.parametrize(
    "path",
    ["nothing", "config.nothing", "config..name", "config.hardware.device.key", "name.name", "", "name[0]"],
)
def test_an_unknown_path_is_invalid(client: Client, vm: Any, path: str) -> None:
    with pytest.raises(vmodl.query.InvalidProperty) as raised:
        client.retrieve(vim.VirtualMachine, "name", path, obj=vm)
    assert raised.value.name == path


def test_a_path_that_is_newer_than_the_clients_version_is_invalid(connect: Any) -> None:
    client = connect(version="5.5")
    with pytest.raises(vmodl.query.InvalidProperty):
        client.retrieve(vim.VirtualMachine, "config.contentLibItemInfo", obj=client.vm("vm-0"))


def test_a_selection_by_an_unknown_name_is_invalid(client: Client) -> None:
    spec = client.spec(vim.VirtualMachine, "name")
    spec.objectSet[0].selectSet = [PropertyCollector.SelectionSpec(name="nothing")]
    with pytest.raises(vmodl.fault.InvalidArgument):
        client.content.propertyCollector.RetrieveContents([spec])


def test_a_dead_object_is_not_found_unless_the_spec_says_to_leave_it_out(client: Client) -> None:
    spec = client.spec(vim.VirtualMachine, "name", obj=vim.VirtualMachine("vm-999", None))
    with pytest.raises(vmodl.fault.ManagedObjectNotFound) as raised:
        client.content.propertyCollector.RetrieveContents([spec])
    assert raised.value.obj._moId == "vm-999"
    spec.reportMissingObjectsInResults = True
    assert client.content.propertyCollector.RetrieveContents([spec]) == []


def test_properties_without_permission_are_missing(connect: Any) -> None:
    client = connect("reader@vsphere.local")
    (found,) = client.retrieve(
        vim.SessionManager, "sessionList", "defaultLocale", obj=client.content.sessionManager
    ).objects
    assert [each.name for each in found.propSet] == ["defaultLocale"]
    (missing,) = found.missingSet
    assert missing.path == "sessionList"
    assert isinstance(missing.fault, vim.fault.NoPermission)
    assert missing.fault.privilegeId == "Sessions.TerminateSession"


def test_what_one_user_may_read_is_not_told_to_another(
    connect: Any, client: Client, simulator: Simulator
) -> None:
    simulator.sessions.accounts["viewer"] = Account("secret", frozenset({"System.Anonymous", "System.View"}))
    viewer = connect("viewer")
    for user, is_permitted in ((client, True), (viewer, False), (client, True)):
        (found,) = user.retrieve(vim.VirtualMachine, "name", "config.name", obj=user.vm("vm-0")).objects
        assert len(found.propSet) == (2 if is_permitted else 1)
        assert [each.path for each in found.missingSet] == ([] if is_permitted else ["config.name"])


def test_privileges_may_be_others_on_single_objects(
    connect: Any, client: Client, simulator: Simulator
) -> None:
    """A user sees that there is an object, or not even that."""
    reading = frozenset({"System.Anonymous", "System.View", "System.Read"})
    shown, hidden = client.vm("vm-0"), client.vm("vm-1")
    own = {shown._moId: reading - {"System.Read"}, hidden._moId: frozenset[str]()}
    simulator.sessions.accounts["tenant"] = Account("secret", reading, own)
    tenant = connect("tenant")
    read = {each.obj._moId: each for each in tenant.retrieve(vim.VirtualMachine, "name", "config").objects}
    assert hidden._moId not in read
    assert [each.path for each in read[shown._moId].missingSet] == ["config"]
    assert [each.name for each in read[shown._moId].propSet] == ["name"]
    assert all(len(each.propSet) == 2 for moid, each in read.items() if moid != shown._moId)
    assert len(client.retrieve(vim.VirtualMachine, "name").objects) == len(read) + 1


def test_older_clients_see_base_types_and_no_newer_properties(raw: Raw, vm: Any) -> None:
    parameters = (
        "<specSet><propSet><type>VirtualMachine</type><pathSet>config</pathSet></propSet>"
        f'<objectSet><obj type="VirtualMachine">{vm._moId}</obj></objectSet></specSet><options/>'
    )
    collector = "PropertyCollector:propertyCollector"
    new = raw.call("RetrievePropertiesEx", collector, parameters, "urn:vim25/8.0.1.0")
    old = raw.call("RetrievePropertiesEx", collector, parameters, "urn:vim25/4.1")
    assert (new.status, old.status) == (200, 200)
    assert "<firmware>" in new.body
    assert "<firmware>" not in old.body
    assert "<numCoresPerSocket>" in new.body
    assert "<numCoresPerSocket>" not in old.body


def test_all_properties_of_all_objects_can_be_read(client: Client) -> None:
    """Check that pyVmomi reads what the simulator writes."""
    spec = client.spec(vim.ManagedEntity)
    spec.propSet[0].all = True
    found = client.content.propertyCollector.RetrieveContents([spec])
    assert len(found) > 30
    assert [each.missingSet for each in found if each.missingSet] == []
