"""The file with the firmware's settings, in exports and imports of the vSphere simulator."""

from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.leases import ready, transfer
from simulators.vsphere_tests.test_creation import place
from simulators.vsphere_tests.test_imports import begin
from simulators.vsphere_tests.test_ovf import DESCRIPTOR, ITEMS, spec
from simulators.vsphere_tests.test_ovf_descriptors import describe

pytestmark = pytest.mark.usefixtures("lease_server")
OVERWRITE = {"Overwrite": "t"}
OPTION = '<vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="{}"/>'


def nvram_url(lease: Any) -> Any:
    """Return the address of the file."""
    (found,) = [each for each in lease.info.deviceUrl if not each.disk]
    return found


@pytest.mark.parametrize("product", [VCENTER, ESXI])
def test_it_is_described_and_imported_again(client: Client, vm: Any) -> None:
    export = ready(client, vm.ExportVm())
    url = nvram_url(export)
    assert url.key == f"/{vm._moId}/nvram"
    files = [vim.OvfManager.OvfFile(deviceId=url.key, path="a.nvram", size=url.fileSize)]
    described = describe(client, vm, files=files)
    export.HttpNfcLeaseComplete()
    assert list(described.error) == []
    found = spec(client, text=described.ovfDescriptor)
    (item,) = found.fileItem
    assert (item.path, item.deviceId, item.create) == ("a.nvram", "/a%2fb/nvram", True)
    folder, pool = place(client)
    lease = ready(client, pool.ImportVApp(found.importSpec, folder))
    new = nvram_url(lease)
    assert (new.importKey, new.targetId, new.fileSize) == (item.deviceId, None, None)
    assert transfer(new, "PUT", b"settings", headers=OVERWRITE)[0] == 201
    lease.HttpNfcLeaseComplete()
    again = ready(client, lease.info.entity.ExportVm())
    assert transfer(nvram_url(again))[1] == b"settings"
    again.HttpNfcLeaseComplete()


@pytest.mark.parametrize(("verb", "headers", "status"), [("POST", OVERWRITE, 405), ("PUT", {}, 412)])
def test_it_is_not_sent_as_a_disk_is(client: Client, verb: str, headers: dict[str, str], status: int) -> None:
    lease = ready(client, begin(client))
    assert transfer(nvram_url(lease), verb, b"settings", headers=headers)[0] == status
    assert lease.state == "ready"
    lease.HttpNfcLeaseAbort()


def test_it_is_where_an_option_says(client: Client, vm: Any) -> None:
    other = f"{vm.config.files.vmPathName.removesuffix('.vmx')}.nvram"
    items = "".join(ITEMS) + OPTION.format(other)
    found = spec(client, text=DESCRIPTOR.replace("ITEMS", items))
    folder, pool = place(client)
    lease = ready(client, pool.ImportVApp(found.importSpec, folder))
    assert transfer(nvram_url(lease), "PUT", b"hostile", headers=OVERWRITE)[0] == 201
    lease.HttpNfcLeaseComplete()
    export = ready(client, vm.ExportVm())
    assert transfer(nvram_url(export))[1] == b"hostile"
    export.HttpNfcLeaseComplete()
