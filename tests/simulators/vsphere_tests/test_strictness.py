"""What the vSphere simulator rejects: SOAP that the types do not allow."""

import re
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim, vmodl

import simulators.vsphere
from simulators.vsphere_tests.clients import Client, Raw

SPEC = "<propSet><type>Folder</type><pathSet>name</pathSet></propSet>"
ROOT = '<objectSet><obj type="Folder">group-d1</obj></objectSet>'
COLLECTOR = "PropertyCollector:propertyCollector"


@pytest.fixture
def read(raw: Raw) -> Any:
    """Give `read(parameters)`, which calls RetrievePropertiesEx."""
    return lambda parameters: raw.call("RetrievePropertiesEx", COLLECTOR, parameters)


def test_a_call_as_the_types_have_it_is_accepted(read: Any) -> None:
    reply = read(f"<specSet>{SPEC}{ROOT}</specSet><options><maxObjects>1</maxObjects></options>")
    assert (reply.status, reply.fault) == (200, "")
    assert '<val xsi:type="xsd:string">Datacenters</val>' in reply.body


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (f"<specSet>{SPEC}{ROOT}</specSet>", "options is missing"),
        ("<options/>", "specSet is missing"),
        (f"<specSet>{ROOT}</specSet><options/>", "propSet is missing"),
        (f"<specSet>{ROOT}{SPEC}</specSet><options/>", "propSet is missing"),
        (f"<options/><specSet>{SPEC}{ROOT}</specSet>", "specSet is missing"),
        (f"<specSet>{SPEC}{ROOT}</specSet><options/><options/>", '"options" seen'),
        (f"<specSet>{SPEC}{ROOT}<more/></specSet><options/>", '"more" seen'),
        (f"<specSet>{SPEC}{ROOT}</specSet><options/><more/>", '"more" seen'),
        (f"<specSet>{SPEC}{ROOT}</specSet><options>all</options>", 'text "all"'),
        (f"<specSet>{SPEC}{ROOT}</specSet><options><maxObjects>x</maxObjects></options>", '"x" in element'),
        (
            f"<specSet>{SPEC}{ROOT}</specSet><options><maxObjects>2147483648</maxObjects></options>",
            "2147483648",
        ),
        (f"<specSet>{SPEC}{ROOT}</specSet><options><maxObjects><a/></maxObjects></options>", '"a" seen'),
        (f"<specSet>{SPEC.replace('Folder', 'Nothing')}{ROOT}</specSet><options/>", "Nothing"),
        (f"<specSet>{SPEC}{ROOT.replace('Folder', 'Nothing')}</specSet><options/>", "Nothing"),
        (f"<specSet>{SPEC}{ROOT.replace('Folder', 'AboutInfo')}</specSet><options/>", "AboutInfo"),
        (f"<specSet>{SPEC}{ROOT.replace(' type=', ' kind=')}</specSet><options/>", "None"),
        (f'<specSet xsi:type="AboutInfo">{SPEC}{ROOT}</specSet><options/>', "AboutInfo"),
        (f'<specSet>{SPEC}{ROOT}</specSet><options xsi:type="WaitOptions"/>', "WaitOptions"),
        (f'<specSet xsi:type="Nothing">{SPEC}{ROOT}</specSet><options/>', "Nothing"),
        (f'<specSet xmlns="urn:other">{SPEC}{ROOT}</specSet><options/>', '"specSet" seen'),
    ],
)
def test_a_call_that_the_types_do_not_allow_is_an_invalid_request(
    read: Any, parameters: str, said: str
) -> None:
    reply = read(parameters)
    assert (reply.status, reply.fault) == (500, "InvalidRequest")
    assert said in reply.message.replace("&quot;", '"')


@pytest.mark.parametrize("value", ["yes", "2", "", "TRUE"])
def test_a_boolean_is_a_boolean(raw: Raw, value: str) -> None:
    parameters = f"<uuid>x</uuid><vmSearch>{value}</vmSearch>"
    assert raw.call("FindAllByUuid", "SearchIndex:SearchIndex", parameters).fault == "InvalidRequest"


def test_an_enum_has_only_its_values(raw: Raw, vm: Any) -> None:
    parameters = "<state>soon</state>"
    assert raw.call("SetTaskState", "Task:task-1", parameters).fault == "InvalidRequest"


def test_an_any_value_needs_a_type(raw: Raw) -> None:
    for value, fault in (
        ("<result>x</result>", "InvalidRequest"),
        ('<result xsi:type="xsd:nothing">x</result>', "InvalidRequest"),
        ('<result xsi:type="xsd:int">x</result>', "InvalidRequest"),
        ('<result xsi:type="xsd:int">7</result>', "ManagedObjectNotFound"),
        ('<result xsi:type="ManagedObjectReference" type="Folder">x</result>', "ManagedObjectNotFound"),
        ('<result xsi:type="ArrayOfInt"><int>7</int></result>', "ManagedObjectNotFound"),
        ('<result xsi:type="ArrayOfInt"><string>7</string></result>', "InvalidRequest"),
    ):
        parameters = f"<state>success</state>{value}"
        assert raw.call("SetTaskState", "Task:task-9", parameters).fault == fault, value


def test_a_fault_in_data_has_its_message_beside_it(raw: Raw) -> None:
    right = '<fault><fault xsi:type="NotFound"/><localizedMessage>x</localizedMessage></fault>'
    wrong = '<fault xsi:type="NotFound"/>'
    for value, fault in ((right, "ManagedObjectNotFound"), (wrong, "InvalidRequest")):
        parameters = f"<state>error</state>{value}"
        assert raw.call("SetTaskState", "Task:task-9", parameters).fault == fault, value


def test_what_is_no_call_is_an_invalid_request(raw: Raw) -> None:
    envelope = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{}</e:Body></e:Envelope>'
    )
    this = '<_this type="ServiceInstance">ServiceInstance</_this>'
    for body in (
        b"",
        b"<",
        b"<a/>",
        b"\x00\xff",
        b"<!DOCTYPE a>" + envelope.format(f'<CurrentTime xmlns="urn:vim25">{this}</CurrentTime>').encode(),
        envelope.format("").encode(),
        envelope.format(f'<CurrentTime xmlns="urn:vim25">{this}</CurrentTime>' * 2).encode(),
        envelope.format(f"<CurrentTime>{this}</CurrentTime>").encode(),
        envelope.format('<CurrentTime xmlns="urn:vim25"/>').encode(),
        envelope.format(f'<CurrentTime xmlns="urn:vim25"><now/>{this}</CurrentTime>').encode(),
        envelope.format(f'<Nothing xmlns="urn:vim25">{this}</Nothing>').encode(),
        envelope.format(
            '<CurrentTime xmlns="urn:vim25"><_this type="ServiceInstance"/></CurrentTime>'
        ).encode(),
    ):
        reply = raw.send(body)
        assert (reply.status, reply.fault) == (500, "InvalidRequest"), body
    assert (
        raw.send(envelope.format(f'<CurrentTime xmlns="urn:vim25">{this}</CurrentTime>').encode()).status
        == 200
    )


def test_a_method_of_another_type_is_not_found(raw: Raw, vm: Any) -> None:
    reply = raw.call("PowerOnVM_Task", "Folder:group-d1")
    assert reply.fault == "MethodNotFound"
    assert "<method>PowerOnVM_Task</method>" in reply.body


def test_what_is_newer_than_the_clients_version_is_not_there(raw: Raw, vm: Any) -> None:
    this = f"VirtualMachine:{vm._moId}"
    assert (
        raw.call("FindAllByUuid", "SearchIndex:SearchIndex", action="urn:vim25/2.5").fault == "MethodNotFound"
    )
    spec = "<spec><createDate>2026-01-01T00:00:00Z</createDate></spec>"
    assert raw.call("ReconfigVM_Task", this, spec, action="urn:vim25/6.5").fault == "InvalidRequest"
    assert raw.call("ReconfigVM_Task", this, spec, action="urn:vim25/6.7").fault != "InvalidRequest"


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ("urn:vim25/8.0.3.0", ""),
        ('"urn:vim25/6.5"', ""),
        ("urn:vim25/7.0", ""),
        ("urn:vim25", ""),
        ("", ""),
        ("urn:vim25/9.0.0.0", "InvalidRequest"),
        ("urn:vim25/nothing", "InvalidRequest"),
        ("urn:sms/1.0", "InvalidRequest"),
    ],
)
def test_the_server_has_only_its_own_version_and_those_before(raw: Raw, action: str, fault: str) -> None:
    assert raw.call("CurrentTime", "ServiceInstance:ServiceInstance", action=action).fault == fault


def test_a_dead_reference_is_not_found(client: Client, raw: Raw) -> None:
    for this in ("VirtualMachine:vm-999", "VirtualMachine:group-d1"):
        assert raw.call("PowerOnVM_Task", this).fault == "ManagedObjectNotFound"
    with pytest.raises(vmodl.fault.ManagedObjectNotFound):
        client.vm("vm-0").PowerOn(vim.HostSystem("host-999", None))


def test_a_reference_of_another_type_is_invalid(raw: Raw, vm: Any) -> None:
    parameters = '<host type="Folder">group-d1</host>'
    assert raw.call("PowerOnVM_Task", f"VirtualMachine:{vm._moId}", parameters).fault == "InvalidRequest"


def test_a_method_that_is_not_acted_out_says_so(client: Client, vm: Any) -> None:
    with pytest.raises(vmodl.fault.NotImplemented) as raised:
        vm.AcquireMksTicket()
    fault: Any = raised.value
    assert fault.msg == "The simulator does not implement VirtualMachine.AcquireMksTicket."


def test_versions_are_told(fetch: Any) -> None:
    status, body = fetch("GET", "/sdk/vimServiceVersions.xml")
    found = re.findall(r"<version>([^<]+)</version>", body.decode())
    assert status == 200
    assert found[0] == "8.0.3.0"
    assert {"8.0.1.0", "7.0.0.0", "6.5", "5.5"} < set(found)
    assert not {"8.0.3.1", "9.0.0.0"} & set(found)


def test_soap_is_never_read_or_written_by_pyvmomi() -> None:
    sources = Path(simulators.vsphere.__file__).parent.rglob("*.py")
    assert [
        each.name for each in sources if re.search(r"Soap(Adapter|Stub)|Serialize", each.read_text())
    ] == []
