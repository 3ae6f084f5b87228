"""VI-JSON of the vSphere simulator."""

import json
from typing import Any

import msgspec
import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client, Fetch

WITHOUT_JSON = msgspec.structs.replace(VCENTER, speaks_json=False)
COLLECTOR = "PropertyCollector/propertyCollector"


class Json:
    """A client of VI-JSON, in the session of another one."""

    def __init__(self, fetch: Fetch, cookie: str = "", release: str = "8.0.1.0") -> None:
        self._fetch = fetch
        self._release = release
        self._session = cookie.partition('"')[2].partition('"')[0]

    def call(self, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        """Send a request: ``Folder/group-d1/CreateFolder``."""
        headers = {"vmware-api-session-id": self._session} if self._session else {}
        where = f"/sdk/vim25/{self._release}/{path}"
        status, content = self._fetch(method, where, {} if body is None else body, **headers)
        return status, json.loads(content) if content else None

    def retrieve(self, kind: str, moid: str, *paths: str, **options: Any) -> tuple[int, Any]:
        """Read properties of an object."""
        properties = {"type": kind, "pathSet": list(paths)}
        spec = {"propSet": [properties], "objectSet": [{"obj": {"type": kind, "value": moid}}]}
        return self.call(f"{COLLECTOR}/RetrievePropertiesEx", {"specSet": [spec], "options": options})


@pytest.fixture
def api(fetch: Fetch, client: Client) -> Json:
    return Json(fetch, client.cookie)


def test_properties_are_read_with_the_session_of_soap(api: Json, vm: Any) -> None:
    paths = ("name", "config.hardware.numCPU", "runtime.powerState", "runtime.host", "datastore")
    status, found = api.retrieve("VirtualMachine", vm._moId, *paths)
    assert status == 200
    assert found["_typeName"] == "RetrieveResult"
    (content,) = found["objects"]
    assert content["obj"] == {
        "_typeName": "ManagedObjectReference",
        "type": "VirtualMachine",
        "value": vm._moId,
    }
    values = {each["name"]: each["val"] for each in content["propSet"]}
    assert values["name"] == {"_typeName": "string", "_value": "vm-0"}
    assert values["config.hardware.numCPU"] == {"_typeName": "int", "_value": 2}
    assert values["runtime.powerState"] == {"_typeName": "VirtualMachinePowerState", "_value": "poweredOff"}
    assert values["runtime.host"]["type"] == "HostSystem"
    assert values["datastore"]["_typeName"] == "ArrayOfManagedObjectReference"
    assert [each["type"] for each in values["datastore"]["_value"]] == ["Datastore"]


def test_devices_have_their_types(api: Json, vm: Any) -> None:
    _, found = api.retrieve("VirtualMachine", vm._moId, "config.hardware.device")
    (devices,) = [each["val"] for each in found["objects"][0]["propSet"]]
    assert devices["_typeName"] == "ArrayOfVirtualDevice"
    (disk, _) = [each for each in devices["_value"] if each["_typeName"] == "VirtualDisk"]
    assert disk["capacityInBytes"] == 8 * 1024**3
    assert disk["backing"]["_typeName"] == "VirtualDiskFlatVer2BackingInfo"
    assert disk["backing"]["thinProvisioned"] is True


def test_pages_go_on_with_their_token(api: Json, client: Client) -> None:
    view = client.content.viewManager.CreateContainerView(
        client.content.rootFolder, [vim.VirtualMachine], True
    )
    traversal = {"_typeName": "TraversalSpec", "type": "ContainerView", "path": "view", "skip": False}
    start = {"obj": {"type": "ContainerView", "value": view._moId}, "skip": True, "selectSet": [traversal]}
    spec = {"propSet": [{"type": "VirtualMachine", "pathSet": ["name"]}], "objectSet": [start]}
    body = {"specSet": [spec], "options": {"maxObjects": 2}}
    _, page = api.call(f"{COLLECTOR}/RetrievePropertiesEx", body)
    names = [each["propSet"][0]["val"]["_value"] for each in page["objects"]]
    while "token" in page:
        _, page = api.call(f"{COLLECTOR}/ContinueRetrievePropertiesEx", {"token": page["token"]})
        names += [each["propSet"][0]["val"]["_value"] for each in page["objects"]]
    assert sorted(names) == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]


def test_what_has_changed_is_written_anew_in_both_protocols(api: Json, vm: Any, simulator: Simulator) -> None:
    assert vm.name == "vm-0"
    api.retrieve("VirtualMachine", vm._moId, "name")
    simulator.database.get(vim.VirtualMachine(vm._moId))["name"] = "other"
    _, found = api.retrieve("VirtualMachine", vm._moId, "name")
    assert found["objects"][0]["propSet"][0]["val"]["_value"] == "other"


def test_a_client_logs_in_and_out(fetch: Fetch, simulator: Simulator) -> None:
    api = Json(fetch)
    body = {"_typeName": "LoginRequestType", "userName": "reader@vsphere.local", "password": "secret"}
    status, session = api.call("SessionManager/SessionManager/Login", body)
    assert (status, session["_typeName"], session["userName"]) == (200, "UserSession", "reader@vsphere.local")
    (own,) = simulator.sessions.all()
    api = Json(fetch, f'"{own.cookie}"')
    assert api.call("SessionManager/SessionManager/Logout") == (204, None)
    status, fault = api.call("ServiceInstance/ServiceInstance/CurrentTime")
    assert (status, fault["_typeName"]) == (500, "NotAuthenticated")
    assert fault["faultstring"] == "The session is not authenticated."


def test_single_properties_are_read(api: Json, vm: Any) -> None:
    assert api.call(f"VirtualMachine/{vm._moId}/name", method="GET") == (200, "vm-0")
    status, runtime = api.call(f"VirtualMachine/{vm._moId}/runtime", method="GET")
    assert (status, runtime["_typeName"], runtime["powerState"]) == (
        200,
        "VirtualMachineRuntimeInfo",
        "poweredOff",
    )
    assert api.call(f"VirtualMachine/{vm._moId}/snapshot", method="GET") == (204, None)
    assert api.call(f"VirtualMachine/{vm._moId}/nothing", method="GET")[1]["_typeName"] == "InvalidRequest"


def test_missing_properties_have_their_fault(fetch: Fetch, connect: Any) -> None:
    api = Json(fetch, connect("reader@vsphere.local").cookie)
    _, found = api.retrieve("SessionManager", "SessionManager", "sessionList")
    (missing,) = found["objects"][0]["missingSet"]
    assert missing["path"] == "sessionList"
    assert missing["fault"]["_typeName"] == "LocalizedMethodFault"
    assert missing["fault"]["fault"]["_typeName"] == "NoPermission"
    assert missing["fault"]["fault"]["privilegeId"] == "Sessions.TerminateSession"


ROOT = {"obj": {"type": "Folder", "value": "group-d1"}}
NAME = {"type": "Folder", "pathSet": ["name"]}


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {}}, None),
        ({"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {"maxObjects": 7}}, None),
        ([], "InvalidRequest"),
        (
            {"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {"_typeName": "WaitOptions"}},
            "InvalidRequest",
        ),
        ({"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}]}, "InvalidRequest"),
        ({"specSet": [], "options": {}}, "InvalidRequest"),
        ({"specSet": {}, "options": {}}, "InvalidRequest"),
        ({"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {}, "more": 1}, "InvalidRequest"),
        (
            {"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {"maxObjects": "7"}},
            "InvalidRequest",
        ),
        (
            {"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {"maxObjects": True}},
            "InvalidRequest",
        ),
        (
            {"specSet": [{"propSet": [NAME], "objectSet": [ROOT]}], "options": {"maxObjects": 2**31}},
            "InvalidRequest",
        ),
        (
            {"specSet": [{"propSet": [{"type": "Nothing"}], "objectSet": [ROOT]}], "options": {}},
            "InvalidRequest",
        ),
        (
            {"specSet": [{"propSet": [NAME], "objectSet": [{"obj": "group-d1"}]}], "options": {}},
            "InvalidRequest",
        ),
        (
            {
                "specSet": [{"propSet": [NAME], "objectSet": [{"obj": {"type": "AboutInfo", "value": "x"}}]}],
                "options": {},
            },
            "InvalidRequest",
        ),
        (
            {
                "specSet": [{"propSet": [NAME], "objectSet": [ROOT | {"_typeName": "AboutInfo"}]}],
                "options": {},
            },
            "InvalidRequest",
        ),
        (
            {"specSet": [{"propSet": [NAME | {"pathSet": ["nothing"]}], "objectSet": [ROOT]}], "options": {}},
            "InvalidProperty",
        ),
    ],
)
def test_only_what_the_types_allow_is_accepted(api: Json, body: Any, fault: str | None) -> None:
    status, found = api.call(f"{COLLECTOR}/RetrievePropertiesEx", body)
    assert (status, found["_typeName"]) == ((200, "RetrieveResult") if fault is None else (500, fault))


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ({"_typeName": "int", "_value": 7}, "ManagedObjectNotFound"),
        ({"_typeName": "int", "_value": "7"}, "InvalidRequest"),
        ({"_typeName": "dateTime", "_value": "2026-01-01T00:00:00Z"}, "ManagedObjectNotFound"),
        ({"_typeName": "dateTime", "_value": "soon"}, "InvalidRequest"),
        ({"_typeName": "binary", "_value": "AA=="}, "ManagedObjectNotFound"),
        ({"_typeName": "ArrayOfInt", "_value": [7]}, "ManagedObjectNotFound"),
        ({"_typeName": "ArrayOfInt", "_value": ["7"]}, "InvalidRequest"),
        ({"_typeName": "AboutInfo"}, "InvalidRequest"),
        ({"_typeName": "Description", "label": "a", "summary": "b"}, "ManagedObjectNotFound"),
        ({"_typeName": "VirtualMachinePowerState", "_value": "poweredOn"}, "ManagedObjectNotFound"),
        ({"_typeName": "VirtualMachinePowerState", "_value": "on"}, "InvalidRequest"),
        ({"_typeName": "ManagedObjectReference", "type": "Folder", "value": "x"}, "ManagedObjectNotFound"),
        ({"_typeName": "Nothing"}, "InvalidRequest"),
        (7, "InvalidRequest"),
    ],
)
def test_values_of_any_type_name_it(api: Json, value: Any, fault: str) -> None:
    _, found = api.call("Task/task-9/SetTaskState", {"state": "success", "result": value})
    assert found["_typeName"] == fault


@pytest.mark.parametrize("path", ["Folder/group-d1", "Folder/group-d1/a/b", ""])
def test_other_paths_are_not_found(api: Json, path: str) -> None:
    assert api.call(path)[0] == 404


def test_a_release_that_the_server_does_not_have_is_not_found(fetch: Fetch, client: Client) -> None:
    assert Json(fetch, client.cookie, "9.0.0.0").call("ServiceInstance/ServiceInstance/CurrentTime")[0] == 404


@pytest.mark.parametrize("product", [WITHOUT_JSON, ESXI], ids=["old vcenter", "esxi"])
def test_a_server_without_json_takes_it_for_soap(fetch: Fetch, client: Client) -> None:
    session = client.cookie.partition('"')[2].partition('"')[0]
    for method, path in (
        ("POST", f"{COLLECTOR}/RetrievePropertiesEx"),
        ("GET", "ServiceInstance/ServiceInstance/content"),
    ):
        status, body = fetch(method, f"/sdk/vim25/8.0.1.0/{path}", {}, **{"vmware-api-session-id": session})
        assert status == 500
        assert b"<soapenv:Fault>" in body


def test_calls_are_counted_and_fail_to_order_as_in_soap(api: Json, fetch: Fetch) -> None:
    rule = {"method": "CurrentTime", "fault": "NotSupported", "text": "no"}
    fetch("POST", "/simulator/faults", rule)
    fetch("DELETE", "/simulator/counts")
    status, fault = api.call("ServiceInstance/ServiceInstance/CurrentTime")
    assert (status, fault["_typeName"], fault["faultstring"]) == (500, "NotSupported", "no")
    assert json.loads(fetch("GET", "/simulator/counts")[1]) == {"CurrentTime": 1}
    status, now = api.call("ServiceInstance/ServiceInstance/CurrentTime")
    assert (status, now[:2]) == (200, "20")
