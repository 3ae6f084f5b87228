"""Exports of guests: what could be lost or revealed, then how they are."""

import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import (
    MIB,
    Conflict,
    Export,
    HostNotAllowed,
    HypervisorError,
    HypervisorUnavailable,
    InvalidState,
    gib_to_bytes,
)
from simplestack_vmware.hooks.disks import disk_list
from simplestack_vmware.hooks.guests import guest_info
from simplestack_vmware.hooks.guests_export import guest_export
from simplestack_vmware.vsphere.connection.refs import Ref
from simulators.tls import Trust
from simulators.vsphere import nfc_server
from simulators.vsphere.behavior import ovf
from simulators.vsphere.faults import Rule
from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.ovf.writing import write
from simulators.vsphere.products import VCENTER
from support.vsphere import Host, running_host, running_leases

from .conftest import Connect
from .transfers import Everything, fill, random_disk, raw_content, received, unpacked

DISK = "vm-1/vm-1.vmdk"


# The worst: a disk of somebody else or a secret is revealed, or data is lost with the guest that is deleted
# after its export.


def test_nothing_is_fetched_from_a_host_that_is_not_allowed(
    vcenter: Host, lease_trust: Trust, log_in: Connect
) -> None:
    before = Everything.of(vcenter)
    with running_leases(vcenter, lease_trust, name="127.0.0.9"):
        session = log_in(vcenter)
        with pytest.raises(HostNotAllowed, match=r"127\.0\.0\.9"):
            guest_export(session, "vm-1")
    assert Everything.of(vcenter) == before


@pytest.mark.parametrize("digest", ["AA:" * 19 + "AA", "AA:" * 31 + "AA", "AA"])
def test_nothing_is_fetched_from_a_host_with_another_certificate_than_vsphere_names(
    vcenter: Host, lease_trust: Trust, log_in: Connect, digest: str
) -> None:
    before = Everything.of(vcenter)
    session = log_in(vcenter)
    with (
        running_leases(vcenter, lease_trust, digest=digest),
        pytest.raises((HypervisorUnavailable, HypervisorError), match="certificate"),
    ):
        guest_export(session, "vm-1")
    assert Everything.of(vcenter) == before


def test_without_a_thumbprint_the_certificate_is_verified(
    vcenter: Host, lease_trust: Trust, trust: Trust, log_in: Connect
) -> None:
    session = log_in(vcenter)
    with (
        running_leases(vcenter, lease_trust, digest=""),
        pytest.raises(HypervisorUnavailable, match="not trusted"),
    ):
        guest_export(session, "vm-1")
    with running_leases(vcenter, trust, digest=""):
        assert unpacked(received(guest_export(session, "vm-1"))).disks


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/a", "file:///etc/passwd", "https://a b/c", "https://u@*/c", "https://*:0x/", ""]
)
def test_an_address_that_is_none_is_not_used(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    before = Everything.of(with_leases)
    address = with_leases.simulator.leases.address
    assert address is not None
    monkeypatch.setattr(with_leases.simulator.leases, "address", address.__class__(url + "\n#", ""))
    with pytest.raises((HypervisorError, HypervisorUnavailable)):
        guest_export(log_in(with_leases), "vm-1")
    assert Everything.of(with_leases) == before


def test_what_cloud_init_reads_is_not_exported(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    vm = with_leases.vm("vm-1")
    with with_leases.simulator.database.lock:
        vm["config"].extraConfig.append(vim.option.OptionValue(key="guestinfo.userdata", value="hunter2"))

    def with_settings(source: Any) -> str:  # as vSphere writes them where somebody asks for them
        setting = '<vmw:ExtraConfig vmw:key="guestinfo.userdata" vmw:value="hunter2"/>'
        return write(source).replace("</VirtualHardwareSection>", f"{setting}</VirtualHardwareSection>")

    monkeypatch.setattr(ovf, "write", with_settings)
    archive = received(guest_export(log_in(with_leases), "vm-1"))
    assert b"hunter2" not in archive
    assert b"guestinfo" not in archive


@pytest.mark.parametrize(("action", "state"), [("PowerOnVM_Task", "STARTED"), ("suspend", "PAUSED")])
def test_a_guest_that_is_not_stopped_is_409(
    host: Host, leases: NfcServer, log_in: Connect, action: str, state: str
) -> None:
    session = log_in(host)
    vm = session.api.object(_ref(host))
    session.tasks.run(vm.PowerOnVM_Task)
    if action == "suspend":
        session.tasks.run(vm.SuspendVM_Task)
    with pytest.raises(InvalidState) as rejected:
        guest_export(session, "vm-1")
    assert (rejected.value.details["current"], rejected.value.details["needed"]) == (state, "STOPPED")
    assert host.simulator.leases.held() == []


def test_a_disk_that_vsphere_does_not_export_is_an_error(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = log_in(with_leases)
    leases = with_leases.simulator.leases
    info = leases._info

    def without_the_last(lease: Any) -> Any:
        found = info(lease)
        found.deviceUrl = [each for each in found.deviceUrl if not each.disk]
        return found

    monkeypatch.setattr(leases, "_info", without_the_last)
    with pytest.raises(Conflict, match="0 of its 2 disks"):
        guest_export(session, "vm-1")
    assert leases.held() == []


def test_a_disk_that_is_cut_off_ends_the_export_without_its_end(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(with_leases, DISK, random_disk())
    session = log_in(with_leases)
    made = nfc_server._entry
    monkeypatch.setattr(nfc_server, "_entry", lambda file, sha1, size: made(file, sha1, size + 1))
    export = guest_export(session, "vm-1")
    with pytest.raises(HypervisorError, match="only"):
        received(export)
    assert with_leases.simulator.leases.held() == []


def test_a_lease_that_ends_ends_the_export(with_leases: Host, log_in: Connect) -> None:
    fill(with_leases, DISK, random_disk(40_000_000))
    export = guest_export(log_in(with_leases), "vm-1")
    simulator = with_leases.simulator
    with simulator.database.lock:
        for lease in list(simulator.leases._leases.values()):
            simulator.leases.fail(lease, vim.fault.Timedout())
    with (
        pytest.raises((HypervisorError, HypervisorUnavailable), match=r"does not send|before the end"),
    ):
        received(export)


# How they are


def test_a_guest_is_exported_with_its_disks(
    host: Host, leases: NfcServer, log_in: Connect, tmp_path: Path
) -> None:
    disk = random_disk()
    fill(host, DISK, disk)
    session = log_in(host)
    export = guest_export(session, "vm-1")
    assert export.size is None
    found = unpacked(received(export))
    assert found.names[0] == "guest.ovf"
    assert found.names[-1] == "guest.mf"
    assert raw_content(tmp_path, found.disks["disk-1.vmdk"]) == disk
    assert found.appliance.name == "vm-1"
    sizes = [gib_to_bytes(shown.size or 0) for shown in disk_list(session, "vm-1")]
    assert [each.capacity_bytes for each in found.appliance.disks] == sizes
    assert host.simulator.leases.held() == []


def test_a_disk_is_split_into_chunks_that_qemu_reads_when_they_are_joined(
    with_leases: Host, log_in: Connect, tmp_path: Path
) -> None:
    disk = bytes(40 * MIB) + os.urandom(20 * MIB) + bytes(4 * MIB)
    fill(with_leases, DISK, disk)
    found = unpacked(received(guest_export(log_in(with_leases), "vm-1")))
    chunks = [name for name in found.names if name.startswith("disk-1.vmdk.")]
    assert len(chunks) > 1
    assert raw_content(tmp_path, found.disks["disk-1.vmdk"]) == disk


def test_names_are_as_people_write_them(with_leases: Host, log_in: Connect) -> None:
    session = log_in(with_leases)
    name = 'a/b "100%" <\'&>'
    vm = session.api.object(_ref(with_leases))
    session.tasks.run(vm.Rename_Task, 'a%2fb "100%25" <\'&>')
    assert unpacked(received(guest_export(session, name))).appliance.name == name


def test_a_guest_without_disks_is_exported(with_leases: Host, log_in: Connect) -> None:
    with with_leases.simulator.database.lock:
        config = with_leases.vm()["config"]
        config.hardware.device = [
            each for each in config.hardware.device if not isinstance(each, vim.vm.device.VirtualDisk)
        ]
    found = unpacked(received(guest_export(log_in(with_leases), "vm-1")))
    assert (found.names, found.disks) == (["guest.ovf", "guest.mf"], {})
    assert with_leases.simulator.leases.held() == []


def test_a_slow_client_does_not_lose_the_lease(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_leases.simulator.leases.seconds = 1
    renewed = threading.Event()
    renew = with_leases.simulator.leases.renew

    def seen(lease: Any) -> None:
        if lease.object["state"] == "ready":
            renewed.set()
        renew(lease)

    monkeypatch.setattr(with_leases.simulator.leases, "renew", seen)
    export = guest_export(log_in(with_leases), "vm-1")
    first = next(export.chunks)
    for _ in range(15):
        renewed.clear()
        assert renewed.wait(20)
    with closing(export.chunks):  # type: ignore[type-var]  # core closes what can be
        assert unpacked(first + b"".join(export.chunks)).disks


@pytest.mark.parametrize("pieces", [0, 1, 3])
def test_a_client_that_goes_away_leaves_no_lease(with_leases: Host, log_in: Connect, pieces: int) -> None:
    fill(with_leases, DISK, random_disk(64 * MIB))
    export = guest_export(log_in(with_leases), "vm-1")
    assert len(with_leases.simulator.leases.held()) == 1
    for _ in range(pieces):
        next(export.chunks)
    _close(export)
    assert with_leases.simulator.leases.held() == []


@pytest.mark.parametrize("method", ["CreateDescriptor", "HttpNfcLeaseComplete", "HttpNfcLeaseGetManifest"])
def test_a_call_that_fails_leaves_no_lease(with_leases: Host, log_in: Connect, method: str) -> None:
    session = log_in(with_leases)
    with_leases.simulator.faults.add(Rule(method=method, fault="SystemError"))
    with pytest.raises(Exception, match="SystemError"):
        received(guest_export(session, "vm-1"))
    assert with_leases.simulator.leases.held() == []


def test_an_export_takes_few_calls(with_leases: Host, log_in: Connect) -> None:
    session = log_in(with_leases)
    guest = guest_info(session, "vm-1")
    received(guest_export(session, guest.id))
    with_leases.calls()
    received(guest_export(session, guest.id))
    calls = with_leases.calls()
    calls.pop("WaitForUpdatesEx")
    assert calls == {
        "RetrievePropertiesEx": 1,
        "ExportVm": 1,
        "CreateFilter": 1,
        "CreateDescriptor": 1,
        "HttpNfcLeaseGetManifest": 1,
        "HttpNfcLeaseComplete": 1,
    }


def test_a_named_host_is_used_if_it_is_allowed(trust: Trust, lease_trust: Trust, log_in: Connect) -> None:
    with running_host(trust, VCENTER) as host, running_leases(host, lease_trust, name="*"):
        assert unpacked(received(guest_export(log_in(host), "vm-1"))).disks


def _ref(host: Host) -> Ref:
    return Ref("VirtualMachine", host.vm().id)


def _close(export: Export) -> None:
    export.chunks.close()  # type: ignore[attr-defined]  # core closes what can be
