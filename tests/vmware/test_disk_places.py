"""Where files of disks are: two datacenters, names and paths that are written in several ways."""

import pytest
from pyVmomi import vim

from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.data import copy
from simulators.vsphere.database import Object
from simulators.vsphere.inventory.entities import add_datacenter
from simulators.vsphere.inventory.guests import Guest, add_guest
from simulators.vsphere.inventory.storage import add_datastore
from support.vsphere import Host

from .conftest import Connect
from .deletions import Delete, both, disks, has_first_disk


def in_other_datacenter(host: Host, store: str, *, url: str | None) -> Object:
    """Make a VM like vm-1 in a second datacenter, with the same paths of files.

    :param store: name of its datastore
    :param url: of the datastore. Default: one that no other datastore has
    """
    simulator = host.simulator
    with simulator.database.lock:
        root = simulator.database.get(vim.Folder("group-d1"))
        center = add_datacenter(simulator.database, "DC1", root)
        folders = [simulator.database.get(center[f"{name}Folder"]) for name in ("datastore", "vm")]
        esx = host.all(vim.HostSystem)[0]
        made = add_datastore(simulator.database, simulator.files, store, folders[0], [esx])
        if url is not None:
            made["info.url"] = url
        vm = add_guest(simulator, Guest("vm-1", made, [], esx, None), folders[1])
        vm["name"] = "other"
        return vm


@both
def test_the_same_storage_may_have_another_name_in_another_datacenter(
    vcenter: Host, session: VmwareSession, delete: Delete, caplog: pytest.LogCaptureFixture
) -> None:
    store = vcenter.find(vim.Datastore, "shared-1")
    in_other_datacenter(vcenter, "remote", url=store["info.url"])
    delete(session, vcenter)
    assert has_first_disk(vcenter)
    assert "guest 'other' uses it" in caplog.text


@both
def test_a_datastore_of_the_same_name_in_another_datacenter_is_another_one(
    vcenter: Host, session: VmwareSession, delete: Delete
) -> None:
    own = vcenter.find(vim.Datastore, "shared-1")
    other = in_other_datacenter(vcenter, "shared-1", url=None)
    delete(session, vcenter)
    files = vcenter.simulator.files
    assert files.find(own.id, "vm-1/vm-1.vmdk") is None
    assert files.find(other["datastore"][0]._moId, "vm-1/vm-1.vmdk") is not None


@both
@pytest.mark.parametrize(
    "form",
    [
        "[] /vmfs/volumes/{volume}/{path}",
        "ds:///vmfs/volumes/{volume}/{path}",
        "/vmfs/volumes/{name}/{path}",
        "[{name}] /{path}",
        "[{name}]  .//{path}",
        "[{name}] vm-2/../{path}",
        "[{name}] ../{path}",
    ],
)
def test_a_path_may_be_written_in_several_ways(
    host: Host, log_in: Connect, delete: Delete, form: str
) -> None:
    session = log_in(host)
    mine = disks(host)[0].backing
    name, _, path = mine.fileName[1:].partition("] ")
    store = next(each for each in host.all(vim.Datastore) if each["name"] == name)
    volume = store["info.url"].rstrip("/").rpartition("/")[2]
    with host.simulator.database.lock:
        other = disks(host, "vm-2")[1].backing
        other.parent = copy(mine)
        other.parent.fileName = form.format(name=name, volume=volume, path=path)
        other.parent.datastore = None
        host.vm("vm-2").touch()
    delete(session, host)
    assert has_first_disk(host)


@both
def test_an_object_of_the_storage_has_one_id_whatever_its_path(
    host: Host, log_in: Connect, delete: Delete
) -> None:
    """On vSAN, a path has the folder's ID or its name."""
    session = log_in(host)
    with host.simulator.database.lock:
        disks(host)[0].backing.backingObjectId = disks(host, "vm-2")[0].backing.backingObjectId = "5f1c"
        for name in ("vm-1", "vm-2"):
            host.vm(name).touch()
    delete(session, host)
    assert has_first_disk(host)
