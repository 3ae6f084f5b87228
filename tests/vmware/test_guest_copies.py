"""Copies of guests and templates: nothing that is the original's alone, and no disk that both use."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import Conflict, SimplestackError
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.snapshots import snapshot_create, snapshot_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from support.vsphere import Host

from .copied import MANUAL, choose_mac, insert
from .linked_clones import disk_files

Card, Disk = vim.vm.device.VirtualEthernetCard, vim.vm.device.VirtualDisk
COPY = VmwareGuestCreate(name="new", template="vm-1")
ISO = "[isos] debian-12.iso"


def made_vm(host: Host, guest_id: str) -> Object:
    (found,) = [vm for vm in host.all(vim.VirtualMachine) if vm["config.instanceUuid"] == guest_id]
    return found


def devices(vm: Object, kind: Any) -> list[Any]:
    return [each for each in vm["config.hardware.device"] if isinstance(each, kind)]


def test_a_mac_address_that_people_chose_is_not_copied(vcenter: Host, session: VmwareSession) -> None:
    choose_mac(vcenter, "vm-1")
    vm = made_vm(vcenter, guest_create(session, COPY).id)
    cards, old = devices(vm, Card), devices(vcenter.vm(), Card)
    assert {card.macAddress for card in cards}.isdisjoint(card.macAddress for card in old)
    assert [card.addressType for card in cards] == ["assigned", "assigned"]
    assert [card.deviceInfo.summary for card in cards] == ["VM Network", "production"]
    assert old[0].macAddress == MANUAL
    assert all(card.connectable.startConnected for card in cards)


def test_an_iso_image_in_the_folder_of_the_original_is_not_copied(
    vcenter: Host, session: VmwareSession
) -> None:
    insert(vcenter, "vm-1", "[shared-1] vm-1/seed.iso")
    guest = guest_create(session, COPY)
    assert media_info(session, guest.id).name is None
    assert media_info(session, vcenter.vm()["config.instanceUuid"]).name == "[shared-1] vm-1/seed.iso"
    insert(vcenter, "vm-1", ISO)
    guest = guest_create(session, replace(COPY, name="other"))
    assert media_info(session, guest.id).name == ISO


def test_snapshots_are_not_copied(vcenter: Host, session: VmwareSession) -> None:
    snapshot_create(session, vcenter.vm()["config.instanceUuid"], "before")
    guest = guest_create(session, COPY)
    assert snapshot_list(session, guest.id) == []
    assert all(disk.backing.parent is None for disk in devices(made_vm(vcenter, guest.id), Disk))


def _raw(vm: Object) -> None:
    old = devices(vm, Disk)[1].backing
    devices(vm, Disk)[1].backing = Disk.RawDiskMappingVer1BackingInfo(
        fileName=old.fileName,
        datastore=old.datastore,
        deviceName="vml.1",
        lunUuid="1",
        compatibilityMode="physicalMode",
        diskMode="persistent",
    )


def _independent(vm: Object) -> None:
    devices(vm, Disk)[1].backing.diskMode = "independent_persistent"


def _multi_writer(vm: Object) -> None:
    devices(vm, Disk)[1].backing.sharing = "sharingMultiWriter"


def _shared_bus(vm: Object) -> None:
    devices(vm, vim.vm.device.VirtualSCSIController)[0].sharedBus = "physicalSharing"


@pytest.mark.parametrize(
    ("kind", "make", "reason"),
    [
        (NotImplementedError, _raw, "raw device mapping"),
        (Conflict, _independent, "independent"),
        (Conflict, _multi_writer, "may be shared"),
        (Conflict, _shared_bus, "may be shared"),
    ],
)
def test_a_disk_that_a_copy_would_share_is_said(
    vcenter: Host,
    session: VmwareSession,
    kind: type[Exception],
    make: Callable[[Object], None],
    reason: str,
) -> None:
    with vcenter.simulator.database.lock:
        make(vcenter.vm())
        vcenter.vm().touch()
    before = disk_files(vcenter)
    with pytest.raises(kind, match=reason):
        guest_create(session, COPY)
    assert disk_files(vcenter) == before
    assert vcenter.calls()["CloneVM_Task"] == 0


def test_cpus_that_do_not_fit_the_sockets_are_said(vcenter: Host, session: VmwareSession) -> None:
    with vcenter.simulator.database.lock:
        vcenter.vm()["config.hardware.numCoresPerSocket"] = 2
    with pytest.raises(SimplestackError, match=r"cpus: 3 is not a multiple of 2.*use 4"):
        guest_create(session, replace(COPY, cpus=3))
    assert guest_create(session, replace(COPY, cpus=4)).cpus == 4
