"""``Rename_Task`` and ``RenameDatastore`` of the vSphere simulator."""

from collections.abc import Callable
from typing import Any

import pytest
from pyVmomi import vim

from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import device, edit, iso, of_kind
from simulators.vsphere_tests.waiting import error, result

RENAMINGS: dict[str, Callable[[Client, Any, str], Any]] = {
    "task": lambda client, store, name: result(client, store.Rename(name)),
    "at once": lambda _client, store, name: store.RenameDatastore(name),
}


@pytest.mark.parametrize("way", RENAMINGS)
def test_files_have_the_new_name_of_their_datastore(client: Client, vm: Any, way: str) -> None:
    shared, isos = (client.find(vim.Datastore, name) for name in ("shared-1", "isos"))
    drive = iso(of_kind(vm, device.VirtualCdrom)[0], "[isos] debian-12.iso")
    result(client, vm.Reconfigure(vim.vm.ConfigSpec(deviceChange=[edit(drive)])))
    result(client, vm.CreateSnapshot("a", None, False, False))
    RENAMINGS[way](client, shared, "a/b")
    RENAMINGS[way](client, isos, "images")
    assert (shared.name, shared.info.name, shared.summary.name) == ("a%2fb",) * 3
    assert vm.config.files.vmPathName == "[a%2fb] vm-0/vm-0.vmx"
    backing = of_kind(vm, device.VirtualDisk)[0].backing
    assert (backing.fileName, backing.parent.fileName) == (
        "[a%2fb] vm-0/vm-0-000001.vmdk",
        "[a%2fb] vm-0/vm-0.vmdk",
    )
    assert of_kind(vm, device.VirtualCdrom)[0].backing.fileName == "[images] debian-12.iso"
    assert client.vm("vm-1").config.files.vmPathName == "[a%2fb] vm-1/vm-1.vmx"
    result(client, vm.PowerOn())
    result(client, vm.PowerOff())
    result(client, vm.snapshot.currentSnapshot.Remove(False))
    result(client, vm.Destroy())


def test_a_datastore_has_a_name_of_its_own(client: Client) -> None:
    store = client.find(vim.Datastore, "shared-1")
    with pytest.raises(vim.fault.DuplicateName):
        store.RenameDatastore("isos")
    with pytest.raises(vim.fault.InvalidName):
        store.RenameDatastore("")
    assert isinstance(error(client, store.Rename("isos")), vim.fault.DuplicateName)
    assert isinstance(error(client, store.Rename("a" * 81)), vim.fault.InvalidName)


def test_a_vm_that_is_renamed_keeps_its_files(client: Client, vm: Any) -> None:
    result(client, vm.Rename("other"))
    assert vm.config.files.vmPathName == "[shared-1] vm-0/vm-0.vmx"
    fault = error(client, vm.Rename("vm-2"))
    assert (fault.name, fault.object.name) == ("vm-2", "vm-2")


def test_a_reader_may_not_rename(connect: Any) -> None:
    client = connect("reader@vsphere.local")
    for subject in (
        client.vm("vm-0"),
        client.find(vim.Datastore, "isos"),
        client.find(vim.Folder, "servers"),
    ):
        with pytest.raises(vim.fault.NoPermission):
            subject.Rename("a")
