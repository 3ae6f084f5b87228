"""Copies of guests: nothing that is the original's alone, and no disk that both use."""

from collections.abc import Callable
from functools import partial

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import (
    CloudInit,
    Conflict,
    Guest,
    InvalidState,
    SimplestackError,
)
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_clone, guest_info, guest_list
from simplestack_vmware.hooks.guests_create import VmwareGuestCreate, guest_create
from simplestack_vmware.hooks.media import media_info
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.hooks.snapshots import snapshot_create, snapshot_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.vsphere.database import Object
from simulators.vsphere.disk_chains import locate
from simulators.vsphere.sessions import READING, Account
from support.vsphere import PASSWORD, Host

from .conftest import Connect
from .copied import MANUAL, choose_mac, insert, options_of, set_options
from .created import devices, made_vm
from .interference import before_call
from .linked_clones import disk_files, link

Card, Disk = vim.vm.device.VirtualEthernetCard, vim.vm.device.VirtualDisk
COPY = VmwareGuestCreate(name="new", template="vm-1")


Copy = Callable[[VmwareSession, str], Guest]


def create(session: VmwareSession, name: str) -> Guest:
    return guest_create(session, replace(COPY, name=name))


def clone(session: VmwareSession, name: str) -> Guest:
    return guest_clone(session, "vm-1", name, None)


@pytest.fixture(params=[create, clone])
def copy(request: pytest.FixtureRequest) -> Copy:
    """Give `copy(session, name)`, which copies ``vm-1``."""
    found: Copy = request.param
    return found


def test_a_mac_address_that_people_chose_is_not_copied(host: Host, log_in: Connect, copy: Copy) -> None:
    session = log_in(host)
    choose_mac(host, "vm-1")
    vm = made_vm(host, copy(session, "new"))
    cards, old = devices(vm, Card), devices(host.vm(), Card)
    assert {card.macAddress for card in cards}.isdisjoint(card.macAddress for card in old)
    assert "manual" not in {card.addressType for card in cards}
    assert [card.deviceInfo.summary for card in cards] == [card.deviceInfo.summary for card in old]
    assert old[0].macAddress == MANUAL
    assert all(card.connectable.startConnected for card in cards)


def test_an_iso_image_in_the_folder_of_the_original_is_not_copied(
    host: Host, log_in: Connect, copy: Copy
) -> None:
    session = log_in(host)
    store = host.vm()["config.files.vmPathName"].partition(" ")[0]
    seed, library = f"{store} vm-1/seed.iso", f"{store} iso/library.iso"
    insert(host, "vm-1", seed)
    guest = copy(session, "new")
    assert media_info(session, guest.id).name is None
    assert media_info(session, host.vm()["config.instanceUuid"]).name == seed
    insert(host, "vm-1", library)
    guest = copy(session, "other")
    assert media_info(session, guest.id).name == library


def test_snapshots_are_not_copied(host: Host, log_in: Connect, copy: Copy) -> None:
    session = log_in(host)
    snapshot_create(session, host.vm()["config.instanceUuid"], "before")
    guest = copy(session, "new")
    assert snapshot_list(session, guest.id) == []
    assert all(disk.backing.parent is None for disk in devices(made_vm(host, guest), Disk))


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
    host: Host,
    log_in: Connect,
    copy: Copy,
    *,
    kind: type[Exception],
    make: Callable[[Object], None],
    reason: str,
) -> None:
    session = log_in(host)
    with host.simulator.database.lock:
        make(host.vm())
        host.vm().touch()
    before = disk_files(host)
    with pytest.raises(kind, match=reason):
        copy(session, "new")
    assert disk_files(host) == before
    assert not {"CloneVM_Task", "CreateVM_Task", "CopyVirtualDisk_Task"} & host.calls().keys()


def test_cpus_that_do_not_fit_the_sockets_are_said(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    with host.simulator.database.lock:
        host.vm()["config.hardware.numCoresPerSocket"] = 2
    with pytest.raises(SimplestackError, match=r"`cpus`: 3 is not a multiple of 2.*use 4"):
        guest_create(session, replace(COPY, cpus=3))
    assert guest_create(session, replace(COPY, cpus=4)).cpus == 4


# what a copy has


def test_a_copy_has_what_the_guest_has_and_an_identity_of_its_own(
    host: Host, log_in: Connect, copy: Copy
) -> None:
    session = log_in(host)
    before = guest_info(session, "vm-1")
    with host.simulator.database.lock:
        config = host.vm()["config"]
        config.cpuHotAddEnabled = config.flags.diskUuidEnabled = True
        config.annotation = "production"
    made = copy(session, "a/b")
    # A lone host only knows of tools once the guest has started.
    assert made == replace(before, id=made.id, name="a/b", tools_up_to_date=made.tools_up_to_date)
    assert made in guest_list(session, frozenset(Guest.__struct_fields__))
    sizes = [[(disk.size, disk.number) for disk in disk_list(session, each.id)] for each in (before, made)]
    assert sizes[0] == sizes[1]
    old, new = host.vm(), made_vm(host, made)
    for name in ("guestId", "firmware", "version", "annotation", "cpuHotAddEnabled", "flags.diskUuidEnabled"):
        assert new[f"config.{name}"] == old[f"config.{name}"], name
    kinds = [sorted(type(each).__name__ for each in vm["config.hardware.device"]) for vm in (old, new)]
    assert kinds[0] == kinds[1]
    assert new["config.uuid"] != old["config.uuid"]
    files = {disk.backing.fileName for vm in (old, new) for disk in devices(vm, Disk)}
    assert len(files) == 4
    assert all(host.simulator.files.get(*locate(host.simulator, name)).is_thin for name in files)
    guest_start(session, made.id)
    guest_start(session, "vm-1")


def test_a_copy_has_the_data_of_the_original_as_it_is_now(host: Host, log_in: Connect, copy: Copy) -> None:
    session = log_in(host)
    files = host.simulator.files
    snapshot_create(session, host.vm()["config.instanceUuid"], "before")
    with host.simulator.database.lock:
        for number, disk in enumerate(devices(host.vm(), Disk)):
            files.get(*locate(host.simulator, disk.backing.fileName)).grains = {number: b"new"}
    made = made_vm(host, copy(session, "new"))
    for number, disk in enumerate(devices(made, Disk)):
        assert files.get(*locate(host.simulator, disk.backing.fileName)).grains[number] == b"new"


def test_a_clone_is_beside_the_original(vcenter: Host, session: VmwareSession) -> None:
    for name in ("vm-1", "vm-2"):
        old, new = vcenter.vm(name), made_vm(vcenter, guest_clone(session, name, f"{name}-copy", None))
        for path in ("parent", "resourcePool", "runtime.host", "datastore", "network"):
            assert new[path] == old[path], path


def test_a_clone_of_a_guest_in_a_vapp_or_of_a_template_is_a_guest(
    vcenter: Host, session: VmwareSession
) -> None:
    for name in ("shop-db", "debian-12"):
        guest = guest_clone(session, name, f"{name}-copy", None)
        made = made_vm(vcenter, guest)
        assert made["config.template"] is False
        assert made["resourcePool"] == vcenter.find(vim.ComputeResource, "cluster-1")["resourcePool"]
        assert made["parent"] is not None
        guest_start(session, guest.id)


def test_a_clone_has_data_for_cloud_init_of_its_own(host: Host, log_in: Connect) -> None:
    session = log_in(host)
    set_options(host, "vm-1", guestinfo__userdata="old", guestinfo__vendordata="old")
    made = guest_clone(session, "vm-1", "new", CloudInit(hostname="new"))
    keys = {key for key in options_of(made_vm(host, made)) if key.startswith("guestinfo.")}
    assert keys == {"guestinfo.metadata", "guestinfo.metadata.encoding"}
    made = guest_clone(session, "vm-1", "other", None)
    assert not [key for key in options_of(made_vm(host, made)) if key.startswith("guestinfo.")]


def test_a_running_guest_is_cloned_by_vcenter_and_rejected_by_a_lone_host(
    host: Host, log_in: Connect, copy: Copy
) -> None:
    session = log_in(host)
    guest_start(session, "vm-1")
    before = disk_files(host)
    if host.simulator.product.is_vcenter:
        assert copy(session, "new").state == "STOPPED"
    else:
        with pytest.raises(InvalidState, match="must be STOPPED"):
            copy(session, "new")
        assert disk_files(host) == before


def test_a_linked_clone_is_copied_in_full(host: Host, log_in: Connect, copy: Copy) -> None:
    session = log_in(host)
    link(host, "vm-1", devices(host.vm("vm-2"), Disk)[0].backing)
    made = made_vm(host, copy(session, "new"))
    assert [disk.backing.parent for disk in devices(made, Disk)] == [None, None]


def test_a_device_that_a_lone_host_cannot_copy_is_said(esxi: Host, log_in: Connect, copy: Copy) -> None:
    session = log_in(esxi)
    with esxi.simulator.database.lock:
        esxi.vm()["config.hardware.device"].append(vim.vm.device.VirtualTPM(key=11_000))
        esxi.vm().touch()
    with pytest.raises(NotImplementedError, match="VirtualTPM cannot be copied"):
        copy(session, "new")
    assert esxi.calls()["CreateVM_Task"] == 0


def test_an_original_that_vsphere_does_not_show_is_not_copied(
    vcenter: Host, log_in: Connect, copy: Copy
) -> None:
    """Nobody could tell which disks a copy would share."""
    hidden = {vcenter.vm().id: frozenset({"System.Anonymous", "System.View"})}
    vcenter.simulator.sessions.accounts["tenant"] = Account(PASSWORD, READING, hidden)
    with pytest.raises(Conflict, match="cannot read its configuration"):
        copy(log_in(vcenter, "tenant"), "new")
    with vcenter.simulator.database.lock:
        vcenter.vm()["config.hardware.device"] = []
    with pytest.raises(Conflict, match="does not show what a copy would share"):
        copy(log_in(vcenter), "new")
    assert vcenter.calls()["CloneVM_Task"] == 0


def test_data_for_cloud_init_that_vsphere_does_not_show_is_not_copied(
    vcenter: Host, session: VmwareSession
) -> None:
    secret = {f"guestinfo__{name}": "old" for name in ("userdata", "metadata", "vendordata")}
    add = partial(set_options, vcenter, "vm-1", **secret)
    before_call(vcenter, "CloneVM_Task", add)  # after the options were read
    guest = guest_clone(session, "vm-1", "new", None)
    assert "old" not in options_of(made_vm(vcenter, guest)).values()
