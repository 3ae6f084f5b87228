"""Imports of guests: what could be lost, revealed or disturbed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import (
    MIB,
    Conflict,
    HostNotAllowed,
    HypervisorError,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
)
from simplestack.appliances import (
    ApplianceInterface,
)
from simplestack_vmware.errors import translate
from simplestack_vmware.vsphere.connection.faults import Fault
from simulators.tls import Trust
from simulators.vsphere.faults import Rule
from simulators.vsphere.nfc_server import NfcServer
from support.vsphere import Host, running_leases

from .conftest import Connect
from .interference import before_call
from .transfers import Everything, stream_optimized
from .uploads import FIRST, Slow, described, disk, load, packed


def cut(archive: bytes) -> bytes:
    return archive[: len(archive) // 2]


def almost_all(archive: bytes) -> bytes:
    return archive[:-1024]


def damaged(archive: bytes) -> bytes:
    """Return an archive with another byte in a disk, which only the manifest tells."""
    at = archive.rindex(b"# Disk DescriptorFile")
    return archive[:at] + b"!" + archive[at + 1 :]


@pytest.mark.parametrize("damage", [cut, almost_all, damaged])
def test_an_import_that_fails_leaves_nothing(
    host: Host, leases: NfcServer, log_in: Connect, archive: bytes, damage: Callable[[bytes], bytes]
) -> None:
    before = Everything.of(host)
    with pytest.raises(InvalidArguments):
        load(log_in(host), damage(archive))
    assert Everything.of(host) == before


@pytest.mark.parametrize(
    "method", ["CreateImportSpec", "ImportVApp", "HttpNfcLeaseComplete", "PowerOnVM_Task"]
)
def test_a_call_that_fails_leaves_nothing(
    with_leases: Host, log_in: Connect, archive: bytes, method: str
) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    with_leases.simulator.faults.add(Rule(method=method, fault="SystemError"))
    with pytest.raises(Exception, match="SystemError") as failed:
        load(session, archive, start=True)
    assert Everything.of(with_leases) == before
    assert "failed, too" not in str(failed.value)


@pytest.mark.parametrize("method", ["HttpNfcLeaseComplete", "PowerOnVM_Task"])
@pytest.mark.parametrize("effect", ["drop before", "drop after"])
def test_a_call_whose_response_is_lost_leaves_nothing(
    with_leases: Host, log_in: Connect, archive: bytes, method: str, effect: Any
) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    with_leases.simulator.faults.add(Rule(method=method, effect=effect))
    with pytest.raises(HypervisorError, match=f"{method}: whether it took effect is unknown[^;]*$"):
        load(session, archive, start=True)
    assert Everything.of(with_leases) == before


@pytest.mark.parametrize(
    ("effect", "words"),
    [("drop before", "; removing the new guest failed, too$"), ("drop after", "^[^;]*$")],
)
def test_a_guest_whose_lease_does_not_end_is_named_in_the_error(
    with_leases: Host, log_in: Connect, archive: bytes, effect: Any, words: str
) -> None:
    with_leases.simulator.faults.add(Rule(method="HttpNfcLeaseAbort", effect=effect))
    with pytest.raises(InvalidArguments, match=words):
        load(log_in(with_leases), damaged(archive))
    assert len(with_leases.simulator.leases.held()) == (effect == "drop before")


def test_a_guest_whose_lease_is_unknown_is_named_in_the_error(
    with_leases: Host, log_in: Connect, archive: bytes
) -> None:
    with_leases.simulator.faults.add(Rule(method="ImportVApp", effect="drop after"))
    with pytest.raises(HypervisorError, match=r"unknown.*; removing guest 'imported' before .* failed, too$"):
        load(log_in(with_leases), archive)
    assert [each["vm"] for each in with_leases.simulator.leases.held()] == ["imported"]


def test_a_guest_whose_unknown_lease_has_expired_is_not_named(
    with_leases: Host, log_in: Connect, archive: bytes
) -> None:
    before = Everything.of(with_leases)
    leases = with_leases.simulator.leases

    def expire() -> None:
        with with_leases.simulator.database.lock:
            for lease in leases._leases.values():
                leases.fail(lease, vim.fault.Timedout())

    with_leases.simulator.faults.add(Rule(method="ImportVApp", effect="drop after"))
    before_call(with_leases, "Destroy_Task", expire)
    with pytest.raises(HypervisorError, match=r"whether it took effect is unknown[^;]*$"):
        load(log_in(with_leases), archive)
    assert Everything.of(with_leases) == before


def test_a_client_that_goes_away_leaves_nothing(with_leases: Host, log_in: Connect, archive: bytes) -> None:
    before = Everything.of(with_leases)

    def go_away() -> None:
        raise InvalidArguments("the client disconnected")

    with pytest.raises(InvalidArguments, match="disconnected"):
        load(log_in(with_leases), Slow(archive, len(archive) // 2, go_away))
    assert Everything.of(with_leases) == before


def test_nothing_is_sent_to_a_host_that_is_not_allowed(
    vcenter: Host, lease_trust: Trust, log_in: Connect, archive: bytes
) -> None:
    before = Everything.of(vcenter)
    with (
        running_leases(vcenter, lease_trust, name="127.0.0.9"),
        pytest.raises(HostNotAllowed, match=r"127\.0\.0\.9"),
    ):
        load(log_in(vcenter), archive)
    assert Everything.of(vcenter) == before


def test_nothing_is_sent_to_a_host_with_another_certificate(
    vcenter: Host, lease_trust: Trust, log_in: Connect, archive: bytes
) -> None:
    before = Everything.of(vcenter)
    with (
        running_leases(vcenter, lease_trust, digest="AA:" * 19 + "AA"),
        pytest.raises(HypervisorUnavailable, match="certificate"),
    ):
        load(log_in(vcenter), archive)
    assert Everything.of(vcenter) == before


def test_a_guest_is_not_put_into_another_network_than_its_own(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes]
) -> None:
    before = Everything.of(with_leases)
    cards = tuple(ApplianceInterface(network=name, model="vmxnet3") for name in ("a/b", "VM Network", "x"))
    image = packed(described(disk(1, FIRST), interfaces=cards), disks)
    with pytest.raises(InvalidArguments, match=r"'a/b', 'x'.*\?network="):
        load(log_in(with_leases), image)
    assert Everything.of(with_leases) == before


def test_a_name_in_the_query_that_is_taken_is_409(with_leases: Host, log_in: Connect, archive: bytes) -> None:
    before = Everything.of(with_leases)
    with pytest.raises(Conflict, match="'vm-1'"):
        load(log_in(with_leases), archive, name="vm-1")
    assert Everything.of(with_leases) == before


def test_a_name_that_is_taken_meanwhile(with_leases: Host, log_in: Connect, archive: bytes) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    with_leases.simulator.faults.add(Rule(method="ImportVApp", fault="DuplicateName", properties=DUPLICATE))
    with pytest.raises(Conflict, match="'imported'"):
        load(session, archive, name="imported")
    assert Everything.of(with_leases) == before
    with_leases.simulator.faults.add(Rule(method="ImportVApp", fault="DuplicateName", properties=DUPLICATE))
    assert load(session, archive).name == "imported (2)"


DUPLICATE = {"name": "imported", "object": {"type": "VirtualMachine", "value": "vm-1"}}


def test_settings_and_devices_of_hosts_are_left_out(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    session = log_in(with_leases)
    manager = session.api.content.ovfManager
    assert manager is not None
    create: Any = type(manager).CreateImportSpec

    def with_more(own: Any, *arguments: Any) -> Any:
        result = create(own, *arguments)
        config: Any = result.importSpec.configSpec
        config.extraConfig = [vim.option.OptionValue(key="RemoteDisplay.vnc.enabled", value="TRUE")]
        port = vim.vm.device.VirtualSerialPort(
            key=-900, backing=vim.vm.device.VirtualSerialPort.FileBackingInfo(fileName="[local] secret")
        )
        config.deviceChange.append(vim.vm.device.VirtualDeviceSpec(operation="add", device=port))
        return result

    monkeypatch.setattr(type(manager), "CreateImportSpec", with_more)
    made = load(session, packed(described(disk(1, FIRST)), disks))
    (vm,) = [each for each in with_leases.all(vim.VirtualMachine) if each["config"].instanceUuid == made.id]
    assert [each.key for each in vm["config"].extraConfig if "vnc" in each.key] == []
    assert not any(isinstance(each, vim.vm.device.VirtualSerialPort) for each in vm["config"].hardware.device)


def test_an_image_needs_room(
    with_leases: Host, log_in: Connect, archive: bytes, disks: dict[str, bytes]
) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    with pytest.raises(InsufficientStorage, match="left"):
        load(session, archive, "local-1", size=2**60)
    with pytest.raises(InsufficientStorage, match="larger storage"):
        load(session, packed(described(disk(1, FIRST, capacity_bytes=2**45)), disks))
    assert Everything.of(with_leases) == before


def test_a_datastore_that_becomes_full_is_507(with_leases: Host, log_in: Connect, archive: bytes) -> None:
    session = log_in(with_leases)
    before = Everything.of(with_leases)
    simulator = with_leases.simulator

    def fill_up() -> None:
        with simulator.database.lock:
            for store in simulator.database.all(vim.Datastore):
                free = simulator.files.free(store.id)
                if simulator.files.find(store.id, "vm-1/vm-1.nvram") is not None and free > 0:
                    simulator.files.resize(store.id, "vm-1/vm-1.nvram", 8_684 + free)

    with pytest.raises(Fault) as full:
        load(session, Slow(archive, 100, fill_up), storage_id=_store_of(with_leases))
    assert isinstance(translate(full.value), InsufficientStorage)
    assert Everything.of(with_leases) == before


def test_a_disk_is_not_larger_than_its_descriptor_says(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes]
) -> None:
    before = Everything.of(with_leases)
    image = packed(described(disk(1, FIRST, capacity_bytes=MIB)), disks)
    with pytest.raises(InvalidArguments, match="its descriptor says 1048576"):
        load(log_in(with_leases), image)
    assert Everything.of(with_leases) == before


@pytest.mark.parametrize("subformat", ["monolithicSparse", "monolithicFlat", "qcow2", "empty", "parent"])
def test_a_disk_that_is_no_stream_optimized_vmdk_is_400(
    with_leases: Host, log_in: Connect, tmp_path: Path, subformat: str
) -> None:
    before = Everything.of(with_leases)
    bodies = {"qcow2": b"QFI\xfb".ljust(1024), "empty": b""}
    if subformat == "parent":
        body = stream_optimized(tmp_path, FIRST).replace(b"parentCID=ffffffff", b"parentCID=12345678")
    elif subformat in bodies:
        body = bodies[subformat]
    else:
        body = stream_optimized(tmp_path, FIRST, subformat)
    with pytest.raises(InvalidArguments, match=r"qemu-img convert|empty|without snapshots"):
        load(log_in(with_leases), body, name="a", memory=64)
    image = packed(described(disk(1, FIRST)), {"disk-1.vmdk": body})
    with pytest.raises(InvalidArguments, match=r"qemu-img convert|empty|without snapshots"):
        load(log_in(with_leases), image)
    assert Everything.of(with_leases) == before


def _store_of(host: Host, name: str = "vm-1") -> str:
    return str(host.vm(name)["config"].files.vmPathName.partition("]")[0].removeprefix("["))
