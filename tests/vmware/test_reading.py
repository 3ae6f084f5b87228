"""Properties as they come: types of later versions, values that are missing, documents that are none."""

import json
from typing import Any, cast

import msgspec
import pytest

from simplestack import HypervisorError
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.inventory.devices import disks, interfaces
from simplestack_vmware.vsphere.inventory.records import HostName, VmHardware, VmSnapshots, VmSummary
from simplestack_vmware.vsphere.inventory.walks import TO_THEIR_HOSTS
from simplestack_vmware.vsphere.reading import soap, vi_json
from simplestack_vmware.vsphere.reading.pages import Page
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Record

VM = Ref("VirtualMachine", "vm-1")


class Response:
    """An HTTP response as far as the readers look at it."""

    status = 200

    def __init__(self, body: bytes, content_type: str = "application/json") -> None:
        self._body = body
        self._type = content_type

    def getheader(self, _name: str, _default: str) -> str:
        return self._type

    def read(self, size: int = -1) -> bytes:
        """Return a few bytes only, so that elements are cut everywhere."""
        data, self._body = (self._body, b"") if size < 0 else (self._body[:7], self._body[7:])
        return data


def by_soap(objects: str, *kinds: type[Record], token: str = "") -> Page:
    document = (
        '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body><RetrievePropertiesExResponse '
        f'xmlns="urn:vim25"><returnval>{token}{objects}</returnval></RetrievePropertiesExResponse>'
        "</soapenv:Body></soapenv:Envelope>"
    )
    response: Any = Response(document.encode())
    return soap.read_page(response, Query([VM], kinds, [TO_THEIR_HOSTS]))


def by_json(body: object, *kinds: type[Record]) -> Page | None:
    response: Any = Response(json.dumps(body).encode())
    return vi_json.read_page(response, Query([VM], kinds, [TO_THEIR_HOSTS]))


def vm(properties: str, moid: str = "vm-1") -> str:
    return f'<objects><obj type="VirtualMachine">{moid}</obj>{properties}</objects>'


def prop(path: str, value: str) -> str:
    return f"<propSet><name>{path}</name>{value}</propSet>"


DEVICES = """<val xsi:type="ArrayOfVirtualDevice">
<VirtualDevice xsi:type="VirtualQuantumBus2031"><key>1</key><backing><VirtualDisk/><parent><parent/></parent>
</backing></VirtualDevice>
<VirtualDevice xsi:type="ParaVirtualSCSIController"><key>1000</key><busNumber>1</busNumber></VirtualDevice>
<VirtualDevice xsi:type="VirtualDisk"><key>2000</key><deviceInfo><label>Hard &amp; disk</label><summary>
x</summary></deviceInfo><backing xsi:type="VirtualDiskUnheardOfBackingInfo"><fileName>[ds] a.vmdk</fileName>
<parent><fileName>[ds] b.vmdk</fileName></parent></backing><controllerKey>1000</controllerKey><unitNumber>3
</unitNumber><capacityInKB>1024</capacityInKB><capacityInBytes>1048576</capacityInBytes><shares><level>unheard
</level></shares></VirtualDevice>
<VirtualDevice xsi:type="VirtualUnheardOfCard"><key>4000</key><macAddress>00:50:56:00:00:01</macAddress>
<connectable><startConnected>true</startConnected><connected>false</connected></connectable></VirtualDevice></val>"""


def test_devices_and_values_of_later_versions_lose_nothing() -> None:
    page = by_soap(
        vm(
            prop("config.hardware.device", DEVICES)
            + prop("runtime.powerState", '<val xsi:type="VirtualMachinePowerState">hibernating</val>')
            + prop("config.hardware.memoryMB", '<val xsi:type="xsd:string">lots</val>')
            + prop("config.hardware.numCPU", '<val xsi:type="xsd:int">4</val>')
            + prop("config.quantum", '<val xsi:type="Quantum"><state><state/></state></val>')
        ),
        VmSummary,
    )
    (record,) = page.records
    assert isinstance(record, VmSummary)
    assert record.power_state == "hibernating"
    assert (record.cpus, record.memory_mib) == (4, None)
    assert [device.type_name for device in record.devices or []] == [
        "ParaVirtualSCSIController",
        "VirtualDisk",
    ]
    assert [device.size_bytes for device in record.devices or []] == [None, 1024**2]


def test_all_devices_are_read_where_an_operation_needs_them() -> None:
    (record,) = by_soap(vm(prop("config.hardware.device", DEVICES)), VmHardware).records
    assert isinstance(record, VmHardware)
    assert len(record.devices) == 4
    (disk,) = disks(record.devices)
    assert (disk.key, disk.controller_key, disk.unit_number) == (2000, 1000, 3)
    assert disk.description.label == "Hard & disk"
    assert disk.backing.file_name == "[ds] a.vmdk"
    (card,) = interfaces(record.devices)
    assert card.connectable is not None
    assert (card.mac, card.connectable.start_connected, card.connectable.connected) == (
        "00:50:56:00:00:01",
        True,
        False,
    )


def test_a_field_of_another_type_hides_no_device() -> None:
    devices = DEVICES.replace("<capacityInKB>1024<", "<capacityInKB>many<").replace(
        "<connected>false<", "<connected>perhaps<"
    )
    (record,) = by_soap(vm(prop("config.hardware.device", devices)), VmHardware).records
    assert isinstance(record, VmHardware)
    assert len(record.devices) == 4
    (disk,), (card,) = disks(record.devices), interfaces(record.devices)
    assert (disk.capacity_kib, disk.size_bytes) == (None, 1024**2)
    assert card.connectable is not None
    assert (card.connectable.start_connected, card.connectable.connected) == (True, False)


def test_references_and_texts_are_read_whole() -> None:
    host = '<val type="HostSystem" xsi:type="ManagedObjectReference">host-1</val>'
    objects = vm(
        prop("runtime.host", host) + prop("name", '<val xsi:type="xsd:string">ü &lt;&#38;&gt; x</val>')
    )
    other = f'<objects><obj type="HostSystem">host-1</obj>{prop("name", "<val>esx</val>")}</objects>'
    first, second = by_soap(objects + other, VmSummary, HostName).records
    assert isinstance(first, VmSummary)
    assert isinstance(second, HostName)
    assert (first.host, first.name) == (Ref("HostSystem", "host-1"), "ü <&> x")
    assert (second.ref, second.name) == (Ref("HostSystem", "host-1"), "esx")


def test_what_cannot_be_read_is_missing_and_what_is_gone_is_left_out() -> None:
    def missing(fault: str) -> str:
        return (
            f'<missingSet><path>config.annotation</path><fault><fault xsi:type="{fault}"><object '
            'type="VirtualMachine">vm-1</object><privilegeId>System.Read</privilegeId></fault>'
            "<localizedMessage>no</localizedMessage></fault></missingSet>"
        )

    page = by_soap(
        vm(missing("NoPermission")) + vm(missing("ManagedObjectNotFound"), "vm-2") + vm("", "vm-3"),
        VmSummary,
        token="<token>next &amp; on</token>",
    )
    assert [record.ref.value for record in page.records] == ["vm-1", "vm-3"]
    assert page.records[0].lacks == {"config.annotation"}
    assert page.token == "next & on"


def test_objects_of_other_types_are_skipped() -> None:
    assert by_soap('<objects><obj type="Quantum">q-1</obj></objects>' + vm(""), HostName).records == []


@pytest.mark.parametrize("prefix", ["xsi", "XMLSchema-instance"])
def test_the_prefix_of_types_does_not_matter(prefix: str) -> None:
    devices = DEVICES.replace("xsi:", f"{prefix}:")
    (record,) = by_soap(vm(prop("config.hardware.device", devices)), VmSummary).records
    assert len(cast("VmSummary", record).devices or []) == 2


def test_a_snapshot_tree_30_deep_is_read() -> None:
    def tree(depth: int) -> str:
        if depth == 30:
            return ""
        return (
            f'<childSnapshotList><snapshot type="VirtualMachineSnapshot">snapshot-{depth}</snapshot>'
            f"<name>s{depth}</name>{tree(depth + 1)}</childSnapshotList>"
        )

    roots = tree(0).replace("childSnapshotList", "rootSnapshotList", 1)
    roots = roots.removesuffix("</childSnapshotList>") + "</rootSnapshotList>"
    value = f'<val xsi:type="VirtualMachineSnapshotInfo">{roots}</val>'
    (record,) = by_soap(vm(prop("snapshot", value)), VmSnapshots).records
    assert isinstance(record, VmSnapshots)
    assert record.snapshots is not None
    names = []
    trees = record.snapshots.roots
    while trees:
        names.append(trees[0].name)
        trees = trees[0].children
    assert names == [f"s{depth}" for depth in range(30)]


@pytest.mark.parametrize(
    "document",
    [b"", b"<<<", b"<a><b></a>", b'<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>', b"\xff\xfe"],
)
def test_a_document_that_is_not_xml_is_an_error_of_the_hypervisor(document: bytes) -> None:
    response: Any = Response(document)
    with pytest.raises(HypervisorError, match="vSphere returned"):
        soap.read_page(response, Query([VM], [VmSummary]))


JSON_OBJECT = {
    "_typeName": "ObjectContent",
    "obj": {"_typeName": "ManagedObjectReference", "type": "VirtualMachine", "value": "vm-1"},
    "propSet": [
        {"name": "name", "val": {"_typeName": "string", "_value": "ü"}},
        {"name": "config.hardware.numCPU", "val": {"_typeName": "int", "_value": 4}},
        {"name": "config.hardware.memoryMB", "val": {"_typeName": "string", "_value": "lots"}},
        {"name": "runtime.powerState", "val": {"_typeName": "Unheard", "_value": "hibernating"}},
        {
            "name": "runtime.host",
            "val": {"_typeName": "ManagedObjectReference", "type": "HostSystem", "value": "host-1"},
        },
        {
            "name": "config.hardware.device",
            "val": {
                "_typeName": "ArrayOfVirtualDevice",
                "_value": [
                    {"_typeName": "VirtualQuantumBus2031", "key": 1, "backing": {"x": [1]}},
                    {"_typeName": "VirtualDisk", "key": 2000, "capacityInBytes": 1024, "capacityInKB": "x"},
                ],
            },
        },
    ],
    "missingSet": [{"path": "guest.ipAddress", "fault": {"fault": {"_typeName": "NoPermission"}}}],
}


def test_the_same_is_read_from_json() -> None:
    gone = msgspec.json.decode(msgspec.json.encode(JSON_OBJECT))
    gone["missingSet"][0]["fault"]["fault"]["_typeName"] = "ManagedObjectNotFound"
    page = by_json({"token": "next", "objects": [JSON_OBJECT, gone]}, VmSummary)
    assert page is not None
    (record,) = page.records
    assert isinstance(record, VmSummary)
    assert (record.name, record.cpus, record.memory_mib, record.power_state) == ("ü", 4, None, "hibernating")
    assert record.host == Ref("HostSystem", "host-1")
    assert [device.size_bytes for device in record.devices or []] == [1024]
    assert (record.lacks, page.token) == (frozenset({"guest.ipAddress"}), "next")


@pytest.mark.parametrize("body", [b"", b"<html/>", b'{"objects": 1}', b"\xff", b'{"objects": [{}]}'])
def test_what_is_not_vi_json_is_left_to_soap(body: bytes) -> None:
    response: Any = Response(body)
    assert vi_json.read_page(response, Query([VM], [VmSummary])) is None


def test_a_response_without_objects_is_an_empty_page() -> None:
    response: Any = Response(b"null")
    page = vi_json.read_page(response, Query([VM], [VmSummary]))
    assert page is not None
    assert page.records == []
