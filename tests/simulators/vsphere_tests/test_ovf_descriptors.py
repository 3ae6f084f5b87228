"""What ``OvfManager`` of the vSphere simulator tells of VMs and of descriptors."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import of_kind
from simulators.vsphere_tests.leases import MIB, disk_urls, ready, transfer
from simulators.vsphere_tests.test_creation import place
from simulators.vsphere_tests.test_ovf import DESCRIPTOR, ITEMS, spec
from simulators.vsphere_tests.waiting import result

pytestmark = pytest.mark.usefixtures("lease_server")


def describe(client: Client, vm: Any, *, files: Any = (), **fields: Any) -> Any:
    """Return what CreateDescriptor does."""
    params = vim.OvfManager.CreateDescriptorParams(ovfFiles=list(files), **fields)
    return client.content.ovfManager.CreateDescriptor(vm, params)


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_a_vm_is_described_and_imported_again(client: Client, vm: Any) -> None:
    options = {"numCPUs": 4, "numCoresPerSocket": 2, "memoryMB": 2_048, "annotation": '<a> & "b"'}
    switches = {"firmware": "efi", "cpuHotAddEnabled": True, "memoryHotAddEnabled": False}
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(**options, **switches)))
    export = ready(client, vm.ExportVm())
    sizes = {each.key: len(transfer(each)[1]) for each in disk_urls(export)}
    files = [
        vim.OvfManager.OvfFile(deviceId=key, path=f"d{number}.vmdk", size=size, chunkSize=1_000)
        for number, (key, size) in enumerate(sizes.items())
    ]
    described = describe(client, vm, files=files)
    export.HttpNfcLeaseComplete()
    assert (list(described.error), list(described.warning)) == ([], [])
    found = spec(client, text=described.ovfDescriptor)
    assert (list(found.error), list(found.warning)) == ([], [])
    assert [(each.path, each.size, each.chunkSize) for each in found.fileItem] == [
        (file.path, file.size, 1_000) for file in files
    ]
    folder, pool = place(client)
    lease = ready(client, pool.ImportVApp(found.importSpec, folder))
    lease.HttpNfcLeaseComplete()
    made = lease.info.entity
    assert hardware(made) == hardware(vm)
    for name in ("annotation", "guestId", "version", *switches):
        assert getattr(made.config, name) == getattr(vm.config, name)


def hardware(vm: Any) -> Any:
    """Return what an export and an import keep of the hardware."""
    config = vm.config.hardware
    disks = [
        (each.capacityInBytes, each.controllerKey, each.unitNumber)
        for each in of_kind(vm, vim.vm.device.VirtualDisk)
    ]
    cards = [type(each) for each in of_kind(vm, vim.vm.device.VirtualEthernetCard)]
    return (
        config.numCPU,
        config.numCoresPerSocket,
        config.memoryMB,
        disks,
        cards,
        [each.name for each in vm.network],
    )


def test_a_descriptor_has_the_disks_that_were_fetched(client: Client, vm: Any) -> None:
    file = vim.OvfManager.OvfFile(deviceId=f"/{vm._moId}/ParaVirtualSCSIController0:1", path="b", size=1)
    text = describe(client, vm, files=[file], name="other", description="d").ovfDescriptor
    assert text.count("<Disk ") == text.count("ovf:/disk/") == 1
    assert 'ovf:id="other"' in text
    found = parse(client, text)
    assert (found.annotation, found.approximateDownloadSize) == ("d", 1)
    assert found.approximateFlatDeploymentSize == 2 * 1_024 * MIB


def test_a_descriptor_of_a_snapshot(client: Client, vm: Any) -> None:
    made = result(client, vm.CreateSnapshot_Task("a", None, False, False))
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(annotation="later")))
    assert "later" in describe(client, vm).ovfDescriptor
    assert "later" not in describe(client, vm, snapshot=made).ovfDescriptor
    with pytest.raises(vmodl.fault.InvalidArgument):
        describe(client, client.vm("vm-1"), snapshot=made)


def test_what_cannot_be_described(client: Client, connect: Any, vm: Any) -> None:
    file = vim.OvfManager.OvfFile(deviceId="/vm-1/Other0:1", path="b", size=1)
    (fault,) = describe(client, vm, files=[file]).error
    assert isinstance(fault, vim.fault.OvfExportFailed)
    with pytest.raises(vmodl.fault.NotSupported):
        describe(client, vm.resourcePool)
    with pytest.raises(vmodl.fault.NotImplemented):
        describe(client, vm, includeImageFiles=True)
    reader = connect("reader@vsphere.local")
    with pytest.raises(vim.fault.NoPermission):
        describe(reader, reader.vm("vm-0"))


def parse(client: Client, text: str) -> Any:
    """Return what ParseDescriptor does."""
    params = vim.OvfManager.ParseDescriptorParams(locale="", deploymentOption="")
    return client.content.ovfManager.ParseDescriptor(text, params)


def test_what_a_descriptor_asks_of_a_client(client: Client) -> None:
    found = parse(client, DESCRIPTOR.replace("ITEMS", "".join(ITEMS)))
    assert [each.name for each in found.network] == ["net"]
    assert (found.defaultEntityName, found.virtualApp, list(found.error)) == ("n", False, [])
    assert (found.approximateDownloadSize, found.approximateFlatDeploymentSize) == (77, 5 * MIB)
    (fault,) = parse(client, "<a").error
    assert isinstance(fault, vim.fault.OvfXmlFormat)
