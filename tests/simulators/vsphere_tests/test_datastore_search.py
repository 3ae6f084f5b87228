"""``HostDatastoreBrowser`` of the vSphere simulator: what is in datastores."""

from typing import Any

import pytest
from pyVmomi import vim, vmodl

from simulators.vsphere.files import File
from simulators.vsphere.simulator import Simulator
from simulators.vsphere_tests.clients import Client
from simulators.vsphere_tests.devices import GIB, KIB, add, change, new_disk
from simulators.vsphere_tests.waiting import error, result

Browser: Any = vim.host.DatastoreBrowser
Spec = Browser.SearchSpec
ALL = Browser.FileInfo.Details(fileType=True, fileSize=True, modification=True, fileOwner=True)


@pytest.fixture
def store(client: Client) -> Any:
    return client.find(vim.Datastore, "shared-1")


@pytest.fixture
def isos(client: Client) -> Any:
    return client.find(vim.Datastore, "isos")


def names(results: Any) -> list[str]:
    return [each.path for each in results.file]


def test_a_folder_is_listed_with_paths_only(client: Client, store: Any) -> None:
    found = result(client, store.browser.Search("[shared-1] vm-0"))
    assert (found.folderPath, found.datastore._moId) == ("[shared-1] vm-0/", store._moId)
    assert names(found) == ["vm-0.nvram", "vm-0.vmdk", "vm-0.vmx", "vm-0_1.vmdk"]
    assert {type(each) for each in found.file} == {Browser.FileInfo}
    assert (found.file[0].fileSize, found.file[0].modification, found.file[0].owner) == (None, None, None)


def test_details_are_those_that_are_wanted(client: Client, store: Any) -> None:
    found = result(client, store.browser.Search("[shared-1] vm-0/", Spec(details=ALL)))
    kinds = [Browser.VmNvramInfo, Browser.VmDiskInfo, Browser.VmConfigInfo, Browser.VmDiskInfo]
    assert [type(each) for each in found.file] == kinds
    disk = found.file[1]
    assert (disk.fileSize, disk.owner, disk.capacityKb) == (GIB, "root", None)
    assert disk.modification is not None


def test_the_root_has_folders(client: Client, store: Any) -> None:
    found = result(client, store.browser.Search("[shared-1]", Spec(query=[Browser.FolderQuery()])))
    assert found.folderPath == "[shared-1]"
    assert names(found) == ["debian-12", "shop-db", "vm-0", "vm-1", "vm-2"]
    assert {type(each) for each in found.file} == {Browser.FolderInfo}


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        (["debian*.iso"], ["debian-12.iso"]),
        (["*.ISO"], []),
        (["guest-tool?.iso", "none"], ["guest-tools.iso"]),
        (["[dg]*"], []),
    ],
)
def test_patterns(client: Client, isos: Any, pattern: list[str], wanted: list[str]) -> None:
    found = result(client, isos.browser.Search("[isos]", Spec(matchPattern=pattern)))
    assert names(found) == wanted


def test_case_can_be_ignored(client: Client, isos: Any) -> None:
    spec = Spec(matchPattern=["DEBIAN*"], searchCaseInsensitive=True, query=[Browser.IsoImageQuery()])
    found = result(client, isos.browser.Search("[isos]", spec))
    assert names(found) == ["debian-12.iso"]
    assert isinstance(found.file[0], Browser.IsoImageInfo)


def test_all_folders_are_searched(client: Client, store: Any, simulator: Simulator) -> None:
    with simulator.database.lock:
        simulator.files.add(store._moId, "a/b/c.iso", File("iso", KIB))
        simulator.files.add(store._moId, "empty", File("folder"))
    spec = Spec(query=[Browser.IsoImageQuery()])
    found = result(client, store.browser.SearchSubFolders("[shared-1]", spec))
    by_folder = {each.folderPath: names(each) for each in found}
    assert by_folder["[shared-1] a/b/"] == ["c.iso"]
    assert by_folder["[shared-1]"] == by_folder["[shared-1] a/"] == by_folder["[shared-1] empty/"] == []
    found = result(client, store.browser.SearchSubFolders("[shared-1] a", spec))
    assert [each.folderPath for each in found] == ["[shared-1] a/", "[shared-1] a/b/"]


def test_disks_are_described_and_filtered(client: Client, store: Any, vm: Any) -> None:
    result(client, vm.Reconfigure(change(add(new_disk(thin=False), "create"))))
    details = Browser.VmDiskQuery.Details(
        diskType=True, capacityKb=True, hardwareVersion=True, thin=True, diskExtents=True
    )
    query = Browser.VmDiskQuery(details=details, filter=Browser.VmDiskQuery.Filter(thin=False))
    found = result(client, store.browser.Search("[shared-1] vm-0", Spec(query=[query])))
    (disk,) = found.file
    assert (disk.path, disk.capacityKb, disk.thin) == ("vm-0_2.vmdk", GIB // KIB, False)
    assert disk.diskType is vim.vm.device.VirtualDisk.FlatVer2BackingInfo
    assert list(disk.diskExtents) == ["[shared-1] vm-0/vm-0_2-flat.vmdk"]


def test_folders_come_first_if_wanted(client: Client, isos: Any, simulator: Simulator) -> None:
    with simulator.database.lock:
        simulator.files.add(isos._moId, "z/a.iso", File("iso", KIB))
    found = result(client, isos.browser.Search("[isos]", Spec(sortFoldersFirst=True)))
    assert names(found) == ["z", "debian-12.iso", "guest-tools.iso"]


@pytest.mark.parametrize("name", ["Search", "SearchSubFolders"])
def test_a_folder_that_is_not_there(client: Client, store: Any, name: str) -> None:
    for path in ("[shared-1] none", "[shared-1] vm-0/vm-0.vmx"):
        fault = error(client, getattr(store.browser, name)(path))
        assert isinstance(fault, vim.fault.FileNotFound)
        assert fault.file == path


@pytest.mark.parametrize(
    "path", ["shared-1", "[none] vm-0", "[isos]", "[shared-1] ../vm-0", "[shared-1] a//b"]
)
def test_a_path_that_is_none_of_this_datastore(store: Any, path: str) -> None:
    with pytest.raises(vim.fault.InvalidDatastorePath):
        store.browser.Search(path)


def test_a_host_browses_its_datastores(client: Client) -> None:
    browser = client.host().datastoreBrowser
    assert names(result(client, browser.Search("[isos]"))) == ["debian-12.iso", "guest-tools.iso"]
    assert len(result(client, browser.Search("[shared-1]")).file) == 5


def test_a_type_appears_once(store: Any) -> None:
    with pytest.raises(vmodl.fault.InvalidArgument):
        store.browser.Search("[shared-1]", Spec(query=[Browser.FolderQuery(), Browser.FolderQuery()]))


def test_a_reader_may_not_browse(connect: Any) -> None:
    client = connect("reader@vsphere.local")
    store = client.find(vim.Datastore, "shared-1")
    with pytest.raises(vim.fault.NoPermission):
        store.browser.Search("[shared-1]")


def test_space_is_consistent(client: Client, store: Any, vm: Any) -> None:
    before = store.summary
    result(client, vm.Reconfigure(change(add(new_disk(GIB, thin=False), "create"))))
    result(client, vm.Reconfigure(change(add(new_disk(GIB), "create"))))
    after = store.summary
    assert before.freeSpace - after.freeSpace == GIB
    assert after.uncommitted - before.uncommitted == GIB
    store.Refresh()
    assert store.info.freeSpace == after.freeSpace
    store.RefreshStorageInfo()
