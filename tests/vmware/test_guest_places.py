"""Where guests are created: what the request, the settings and the hosts say."""

from typing import Any

import pytest
from msgspec.structs import replace
from pyVmomi import vim

from simplestack import (
    Conflict,
    EntityNotFound,
    InvalidArguments,
    NewDisk,
)
from simplestack_vmware.hooks.guests_create import guest_create
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.vsphere import Host

from .conftest import Connect
from .created import COPY, EMPTY, devices, everything, interfaces, made_vm

Disk = vim.vm.device.VirtualDisk
Card = vim.vm.device.VirtualEthernetCard


def test_the_request_and_the_settings_say_where_a_guest_goes(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, cluster="cluster-1", resource_pool="production", folder="servers")
    vm = made_vm(vcenter, guest_create(session, replace(EMPTY, storage="local-2")))
    assert vm["resourcePool"] == vcenter.find(vim.ResourcePool, "production").ref
    assert vm["parent"] == vcenter.find(vim.Folder, "servers").ref
    assert vm["runtime.host"] == vcenter.find(vim.HostSystem, "esx-12.example").ref
    assert vm["config.files.vmPathName"].startswith("[local-2] ")
    session = log_in(vcenter, cluster="cluster-1", default_storage="local-4")
    with pytest.raises(Conflict, match="no host can take the guest"):
        guest_create(session, replace(EMPTY, name="b"))
    vm = made_vm(vcenter, guest_create(session, replace(COPY, name="b", cluster="cluster-2")))
    cluster = vcenter.find(vim.ComputeResource, "cluster-2")
    assert vm["resourcePool"] == cluster["resourcePool"]
    assert {disk.backing.fileName.partition(" ")[0] for disk in devices(vm, Disk)} == {"[local-4]"}


def test_a_guest_goes_to_a_host_that_takes_guests(vcenter: Host, session: VmwareSession) -> None:
    hosts = {host["name"]: host for host in vcenter.all(vim.HostSystem)}
    with vcenter.simulator.database.lock:
        for name in ("esx-11.example", "esx-12.example", "esx-21.example"):
            hosts[name]["runtime.inMaintenanceMode"] = True
    for name, wanted in (("a", EMPTY), ("b", COPY)):
        vm = made_vm(vcenter, guest_create(session, replace(wanted, name=name)))
        assert vm["runtime.host"] == hosts["esx-22.example"].ref
    with pytest.raises(Conflict, match="no host can take the guest"):
        guest_create(session, replace(EMPTY, name="c", cluster="cluster-1"))


@pytest.mark.parametrize(
    ("entity", "wrong"),
    [
        ("Network", {"network_interfaces": interfaces("nowhere")}),
        ("Storage", {"disks": [NewDisk(size=1), NewDisk(size=1, storage="nowhere")]}),
        ("Storage", {"storage": "nowhere"}),
        ("ISO", {"iso": "nowhere"}),
        ("ISO", {"iso": "[isos] nowhere.iso"}),
        ("Cluster", {"cluster": "nowhere"}),
        ("ResourcePool", {"resource_pool": "nowhere"}),
        ("Folder", {"folder": "nowhere"}),
        ("Guest", {"template": "nowhere"}),
    ],
)
def test_what_is_unknown_is_said_before_anything_is_created(
    vcenter: Host, session: VmwareSession, entity: str, wrong: dict[str, Any]
) -> None:
    before = everything(vcenter)
    for wanted in (EMPTY, COPY):
        with pytest.raises(EntityNotFound, match=f"{entity}:.*nowhere"):
            guest_create(session, replace(wanted, **wrong))
    assert everything(vcenter) == before
    assert vcenter.calls()["CreateVM_Task"] == vcenter.calls()["CloneVM_Task"] == 0


def test_a_network_by_an_ambiguous_name_is_rejected_and_by_its_id_found(
    vcenter: Host, session: VmwareSession
) -> None:
    group, other = (
        vcenter.find(vim.dvs.DistributedVirtualPortgroup, "production"),
        vcenter.find(vim.Network, "VM Network"),
    )
    with vcenter.simulator.database.lock:
        other["name"] = "production"
    with pytest.raises(Conflict, match="ambiguous"):
        guest_create(session, replace(EMPTY, network_interfaces=interfaces("production")))
    guest = guest_create(session, replace(EMPTY, network_interfaces=interfaces(group.id)))
    (card,) = devices(made_vm(vcenter, guest), Card)
    assert card.backing.port.portgroupKey == group["key"]


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        (NotImplementedError, {"disks": [NewDisk(size=1, name="data")]}),
        (NotImplementedError, {"template": "debian-12", "paravirtualized": False}),
        (InvalidArguments, {"memory": 190}),
    ],
)
def test_what_vsphere_does_not_have_is_said_before_anything_is_created(
    vcenter: Host, session: VmwareSession, kind: type[Exception], wrong: dict[str, Any]
) -> None:
    with pytest.raises(kind):
        guest_create(session, replace(EMPTY, **wrong))
    calls = vcenter.calls()
    assert calls["CreateVM_Task"] + calls["CloneVM_Task"] == 0
