"""Sessions of the vSphere simulator: who may log in, and what a session may do."""

from datetime import timedelta
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Raw


def test_a_wrong_password_and_an_unknown_user_are_invalid_alike(connect: Any) -> None:
    for user, password in (("administrator@vsphere.local", "wrong"), ("nobody", "secret")):
        with pytest.raises(vim.fault.InvalidLogin):
            connect(user, password=password)


def test_a_second_login_in_a_session_is_invalid(client: Client) -> None:
    with pytest.raises(vim.fault.InvalidLogin):
        client.log_in("administrator@vsphere.local")


def test_without_a_session_only_the_service_itself_can_be_read(client: Client, raw: Raw, vm: Any) -> None:
    raw.cookie = ""
    assert raw.call("RetrieveServiceContent", "ServiceInstance:ServiceInstance").status == 200
    assert raw.call("CurrentTime", "ServiceInstance:ServiceInstance").fault == "NotAuthenticated"
    for kind, moid, path, fault in (
        ("ServiceInstance", "ServiceInstance", "content.about", ""),
        ("VirtualMachine", vm._moId, "name", "NotAuthenticated"),
    ):
        parameters = (
            f"<specSet><propSet><type>{kind}</type><pathSet>{path}</pathSet></propSet>"
            f'<objectSet><obj type="{kind}">{moid}</obj></objectSet></specSet><options/>'
        )
        reply = raw.call("RetrievePropertiesEx", "PropertyCollector:propertyCollector", parameters)
        assert reply.fault == fault


def test_a_session_is_over_after_logout(client: Client, simulator: Simulator, vm: Any) -> None:
    assert client.content.sessionManager.SessionIsActive(
        client.content.sessionManager.currentSession.key, "administrator@vsphere.local"
    )
    client.content.sessionManager.Logout()
    with pytest.raises(vim.fault.NotAuthenticated):
        vm.PowerOn()
    assert simulator.sessions.all() == []


def test_an_idle_session_ends(client: Client, simulator: Simulator, vm: Any) -> None:
    simulator.sessions.idle = timedelta(0)
    with pytest.raises(vim.fault.NotAuthenticated):
        vm.PowerOn()


def test_too_many_sessions_are_503(simulator: Simulator, client: Client, raw: Raw) -> None:
    simulator.sessions.limit = 1
    raw.cookie = ""
    parameters = "<userName>administrator@vsphere.local</userName><password>secret</password>"
    assert raw.call("Login", "SessionManager:SessionManager", parameters).status == 503
    client.content.sessionManager.Logout()
    assert raw.call("Login", "SessionManager:SessionManager", parameters).status == 200


def test_a_reader_may_read_and_nothing_else(connect: Any) -> None:
    reader = connect("reader@vsphere.local")
    vm = reader.vm("vm-0")
    assert vm.name == "vm-0"
    with pytest.raises(vim.fault.NoPermission) as raised:
        vm.PowerOn()
    assert raised.value.privilegeId == "VirtualMachine.Interact.PowerOn"
    assert raised.value.object == vm
    with pytest.raises(vim.fault.NoPermission):
        vm.Rename("mine")
    with pytest.raises(vim.fault.NoPermission):
        reader.content.sessionManager.TerminateSession(["x"])


def test_the_administrator_sees_and_ends_sessions(connect: Any, client: Client) -> None:
    other = connect("reader@vsphere.local")
    found = client.content.sessionManager.sessionList
    assert [each.userName for each in found] == ["administrator@vsphere.local", "reader@vsphere.local"]
    assert found[1].key == other.content.sessionManager.currentSession.key
    client.content.sessionManager.TerminateSession([found[1].key])
    with pytest.raises(vim.fault.NotAuthenticated):
        other.content.rootFolder.CreateFolder("x")
    with pytest.raises(vim.fault.NotFound):
        client.content.sessionManager.TerminateSession([found[1].key])


def test_what_a_session_has_made_ends_with_it(client: Client, simulator: Simulator) -> None:
    before = simulator.database.counts()
    client.content.viewManager.CreateListView([client.content.rootFolder])
    client.content.propertyCollector.CreatePropertyCollector()
    client.content.propertyCollector.CreateFilter(client.spec(vim.VirtualMachine, "name"), False)
    client.retrieve(vim.VirtualMachine, "name", size=1)
    assert simulator.database.counts() != before
    assert simulator.pages
    client.content.sessionManager.Logout()
    assert simulator.database.counts() == before
    assert (simulator.pages, simulator.collectors) == ({}, {})


@pytest.mark.parametrize("product", [ESXI])
def test_an_esxi_host_has_its_own_users_and_ids(client: Client, simulator: Simulator) -> None:
    assert client.content.about.apiType == "HostAgent"
    assert client.content.rootFolder._moId == "ha-folder-root"
    assert client.host()._moId == "ha-host"
    assert sorted(client.values(vim.VirtualMachine, "name")) == ["vm-0", "vm-1", "vm-2"]
