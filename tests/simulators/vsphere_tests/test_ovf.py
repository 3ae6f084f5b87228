"""``OvfManager`` of the vSphere simulator."""

from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.leases import MIB, disk_urls, qemu_img, random_disk, ready, transfer
from simulators.vsphere_tests.test_creation import place
from simulators.vsphere_tests.test_imports import packed

pytestmark = pytest.mark.usefixtures("lease_server")
ITEM = "<Item><rasd:InstanceID>{}</rasd:InstanceID><rasd:ResourceType>{}</rasd:ResourceType>{}</Item>"
DESCRIPTOR = """<?xml version="1.0"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
 xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
 xmlns:vmw="http://www.vmware.com/schema/ovf">
<References><File ovf:id="f" ovf:href="a.vmdk" ovf:size="77" ovf:chunkSize="10"/></References>
<DiskSection><Info/>
<Disk ovf:diskId="d" ovf:fileRef="f" ovf:capacity="4" ovf:capacityAllocationUnits="byte * 2^20"/>
<Disk ovf:diskId="e" ovf:capacity="1048576"/></DiskSection>
<NetworkSection><Info/><Network ovf:name="net"/></NetworkSection>
<VirtualSystem ovf:id="vm"><Info/><Name>n</Name>
<OperatingSystemSection ovf:id="96" vmw:osType="debian12_64Guest"><Info/></OperatingSystemSection>
<VirtualHardwareSection><Info/>ITEMS</VirtualHardwareSection></VirtualSystem></Envelope>"""


def item(number: int, kind: int, **values: str) -> str:
    """Return an item of hardware."""
    return ITEM.format(number, kind, "".join(f"<rasd:{k}>{v}</rasd:{k}>" for k, v in values.items()))


ITEMS = [
    item(1, 3, VirtualQuantity="2"),
    item(2, 4, AllocationUnits="byte * 2^20", VirtualQuantity="512"),
    item(3, 6, ResourceSubType="VirtualSCSI"),
    item(4, 17, HostResource="ovf:/disk/d", Parent="3", AddressOnParent="0"),
    item(5, 17, HostResource="ovf:/disk/e", Parent="3", AddressOnParent="1"),
    item(6, 10, Connection="net", ResourceSubType="E1000"),
    item(7, 24),
]


def spec(client: Client, *items: str, text: str = "", **fields: Any) -> Any:
    """Return what CreateImportSpec does."""
    _, pool = place(client)
    params = vim.OvfManager.CreateImportSpecParams(
        **{"locale": "", "deploymentOption": "", "entityName": "a/b", "diskProvisioning": "thin", **fields}
    )
    descriptor = text or DESCRIPTOR.replace("ITEMS", "".join(items))
    store = client.vm("vm-0").datastore[0]
    return client.content.ovfManager.CreateImportSpec(descriptor, pool, store, params)


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_descriptor_is_imported(client: Client, tmp_path: Path) -> None:
    network = client.vm("vm-0").network[0]
    found = spec(client, *ITEMS, networkMapping=[vim.OvfManager.NetworkMapping(name="net", network=network)])
    assert (list(found.error), list(found.warning)) == ([], [])
    (file,) = found.fileItem
    assert (file.path, file.size, file.chunkSize, file.cimType, file.create) == ("a.vmdk", 77, 10, 17, False)
    folder, pool = place(client)
    lease = ready(client, pool.ImportVApp(found.importSpec, folder))
    (device,) = [each for each in disk_urls(lease) if each.importKey == file.deviceId]
    raw = random_disk(tmp_path)
    assert transfer(device, "POST", packed(raw))[0] == 200
    lease.HttpNfcLeaseComplete()
    vm = lease.info.entity
    assert (vm.name, vm.config.hardware.numCPU, vm.config.hardware.memoryMB) == ("a%2fb", 2, 512)
    assert vm.config.guestId == "debian12_64Guest"
    assert list(vm.network) == [network]
    export = ready(client, vm.ExportVm())
    sizes = [4 * MIB, MIB]
    for url, size in zip(disk_urls(export), sizes, strict=True):
        (tmp_path / "back.vmdk").write_bytes(transfer(url)[1])
        if size == 4 * MIB:
            qemu_img("compare", "-f", "raw", "-F", "vmdk", raw, tmp_path / "back.vmdk")
    export.HttpNfcLeaseComplete()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({0: ""}, "OvfMissingHardware"),
        ({0: item(1, 3, VirtualQuantity="x")}, "OvfInvalidValue"),
        ({2: ""}, "OvfInvalidValue"),
        ({3: item(4, 17, HostResource="ovf:/disk/none", Parent="3")}, "OvfInvalidValue"),
        ({5: item(6, 10, Connection="none")}, "OvfInvalidValue"),
        ({6: item(7, 99)}, "OvfUnsupportedType"),
    ],
)
def test_what_is_wrong_with_the_hardware(client: Client, changed: dict[int, str], fault: str) -> None:
    found = spec(client, *[changed.get(number, each) for number, each in enumerate(ITEMS)])
    assert [type(each) for each in found.error] == [getattr(vim.fault, fault)]
    assert found.importSpec is None


def test_what_is_not_required_is_a_warning(client: Client) -> None:
    found = spec(client, *ITEMS, item(8, 99).replace("<Item>", '<Item ovf:required="false">'))
    assert [type(each) for each in found.warning] == [vim.fault.OvfUnsupportedType]
    assert found.importSpec is not None


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<a", "OvfXmlFormat"),
        ("<a/>", "OvfMissingElement"),
        (
            DESCRIPTOR.replace("VirtualSystem ", "Other ").replace("VirtualSystem>", "Other>"),
            "OvfMissingElement",
        ),
        (DESCRIPTOR.replace("VirtualSystem", "VirtualSystemCollection"), "OvfUnsupportedElement"),
    ],
)
def test_what_is_no_descriptor_of_a_vm(client: Client, text: str, fault: str) -> None:
    found = spec(client, text=text)
    assert [type(each) for each in found.error] == [getattr(vim.fault, fault)]


def test_disk_provisioning(client: Client) -> None:
    (fault,) = spec(client, *ITEMS, diskProvisioning="none").error
    assert isinstance(fault, vim.fault.OvfUnsupportedDiskProvisioning)


def test_disks_go_to_the_first_free_units(client: Client) -> None:
    disks = [
        item(number, 17, HostResource="ovf:/disk/e", Parent="3", **place)
        for number, place in enumerate([{}, {"AddressOnParent": "0"}, {}], 10)
    ]
    found = spec(client, *ITEMS[:3], disks[0], *disks[2:], *[disks[2]] * 6)
    units = [
        each.device.unitNumber
        for each in found.importSpec.configSpec.deviceChange
        if isinstance(each.device, vim.vm.device.VirtualDisk)
    ]
    assert units == [0, 1, 2, 3, 4, 5, 6, 8]


def test_controllers_are_numbered_by_their_kind(client: Client) -> None:
    kinds = [(6, "lsilogic"), (20, "vmware.sata.ahci"), (20, "vmware.nvme.controller"), (6, "VirtualSCSI")]
    items = [item(number, kind, ResourceSubType=name) for number, (kind, name) in enumerate(kinds, 10)]
    found = spec(client, *ITEMS[:2], *items)
    controllers = [each.device for each in found.importSpec.configSpec.deviceChange]
    assert [each.busNumber for each in controllers] == [0, 0, 0, 1]


@pytest.mark.parametrize(
    "changed", [{0: item(1, 3, VirtualQuantity="²")}, {1: item(2, 4, VirtualQuantity="²")}]
)
def test_digits_are_those_of_numbers(client: Client, changed: dict[int, str]) -> None:
    (fault,) = spec(client, *[changed.get(number, each) for number, each in enumerate(ITEMS)]).error
    assert (fault.elementName, fault.attributeName) == ("Item", "VirtualQuantity")
