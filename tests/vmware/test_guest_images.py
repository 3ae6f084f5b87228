"""Guests that are created with an ISO image in the drive, or from the image of a disk."""

from typing import Any

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import Conflict, EntityNotFound, GuestState, HypervisorError, NewDisk, OperationTimeout
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.vsphere.connection.faults import Fault
from simulators.vsphere.disk_chains import locate
from simulators.vsphere.faults import Rule
from simulators.vsphere.files import File
from support.vsphere import Host

from .conftest import Connect
from .linked_clones import disk_files

EMPTY = VmwareGuestCreate(name="new", memory=192)
GIB = 1024**3


def store_of(host: Host) -> Any:
    """Return the datastore of the VMs."""
    return host.find(vim.Datastore, "shared-1" if host.simulator.product.is_vcenter else "datastore1")


def iso_of(host: Host) -> str:
    return "[isos] debian-12.iso" if host.simulator.product.is_vcenter else "[datastore1] iso/debian-12.iso"


def add_image(host: Host, path: str = "images/debian 12.vmdk") -> str:
    """Put an image with data on the datastore."""
    store = store_of(host)
    host.simulator.files.add(store.id, path, File("disk", GIB, 3 * GIB, is_thin=True, grains={7: b"data"}))
    return f"[{store['name']}] {path}"


@pytest.mark.parametrize("template", [None, "vm-1"])
def test_an_iso_image_is_in_the_drive(host: Host, log_in: Connect, template: str | None) -> None:
    session = log_in(host)
    for number, name in enumerate((iso_of(host), "debian-12.iso")):
        wanted = replace(EMPTY, name=f"new-{number}", iso=name, template=template, start=True)
        guest = guest_create(session, wanted)
        assert media_info(session, guest.id).name == iso_of(host)
    with host.simulator.database.lock:
        vm = host.vm()
        vm["config.hardware.device"] = [
            each for each in vm["config.hardware.device"] if not isinstance(each, vim.vm.device.VirtualCdrom)
        ]
    guest = guest_create(session, replace(EMPTY, iso=iso_of(host), template=template))
    assert media_info(session, guest.id).name == iso_of(host)


def test_the_host_has_the_iso_image(vcenter: Host, log_in: Connect) -> None:
    """An image on a datastore that one host alone has."""
    session = log_in(vcenter)
    (store,) = [each for each in vcenter.all(vim.Datastore) if each["name"] == "local-2"]
    vcenter.simulator.files.add(store.id, "a.iso", File("iso", 5))
    guest = guest_create(session, replace(EMPTY, iso="[local-2] a.iso", start=True))
    assert guest.host == "esx-12.example"
    with pytest.raises(EntityNotFound, match="ISO"):
        guest_create(session, replace(EMPTY, name="b", iso="[local-2] a.iso", cluster="cluster-2"))
    with pytest.raises(Conflict, match="no host can take the guest"):
        guest_create(session, replace(EMPTY, name="b", iso="[local-2] a.iso", storage="local-3"))


def test_a_guest_boots_from_a_copy_of_an_image(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    image = add_image(host)
    before = disk_files(host)
    for number, name in enumerate((image, "debian 12.vmdk")):
        guest = guest_create(session, replace(EMPTY, name=f"n{number}", image=name, disks=[NewDisk(size=1)]))
        disks = disk_list(session, guest.id)
        assert [(disk.size, disk.number) for disk in disks] == [(3, "0:0"), (1, "0:1")]
        assert (guest.hdd, guest.paravirtualized) == (4, True)
        copy = host.simulator.files.get(*locate(host.simulator, disks[0].extra_info or ""))
        assert copy.grains == {7: b"data"}
        guest_start(session, guest.id)
        assert guest_info(session, guest.id).state == GuestState.STARTED
    assert all(paths <= disk_files(host)[name] for name, paths in before.items())


@pytest.mark.parametrize(
    "name", ["nowhere", "nowhere.vmdk", "[nowhere] a.vmdk", "[isos] ../a.vmdk", "vm-1.vmx"]
)
def test_an_image_that_is_not_there_is_said(host: Host, log_in: Connect, name: str) -> None:
    session = log_in(host)
    before = disk_files(host)
    with pytest.raises(EntityNotFound, match="Image:"):
        guest_create(session, replace(EMPTY, image=name))
    assert disk_files(host) == before
    assert host.calls()["CreateVM_Task"] == 0


@pytest.mark.parametrize("effect", ["fail task", "drop before", "drop after", "hold"])
@pytest.mark.parametrize("method", ["CopyVirtualDisk_Task", "ReconfigVM_Task"])
def test_a_guest_of_an_image_that_cannot_be_created_leaves_nothing(
    host: Host, log_in: Connect, method: str, effect: Any
) -> None:
    session = log_in(host, call_timeout_seconds=3)
    image = add_image(host)
    before = disk_files(host)
    fault = None
    if effect == "fail task":
        fault = "NoDiskSpace" if method == "CopyVirtualDisk_Task" else "InvalidState"
    host.simulator.faults.add(Rule(method=method, effect=effect, fault=fault))
    with pytest.raises((Fault, HypervisorError, OperationTimeout)):
        guest_create(session, replace(EMPTY, image=image))
    assert disk_files(host) == before


def test_an_image_that_a_running_guest_writes_to_is_not_copied(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    guest_start(session, host.vm()["config.instanceUuid"])
    before = disk_files(host)
    with pytest.raises(Fault, match="FileLocked"):
        guest_create(session, replace(EMPTY, image=f"[{store_of(host)['name']}] vm-1/vm-1.vmdk"))
    assert disk_files(host) == before
