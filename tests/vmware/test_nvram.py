"""Exports and imports of guests with UEFI firmware: what becomes of its variables."""

import os
from typing import Any

import pytest
from pyVmomi import vim

from simplestack import MIB, InvalidArguments
from simplestack_vmware.hooks.guests_export import guest_export
from simulators.vsphere import nfc_server
from simulators.vsphere.files import File
from simulators.vsphere.leases import Leases
from simulators.vsphere.nfc_server import NfcServer
from support.vsphere import Host

from .conftest import Connect
from .transfers import Everything, received, unpacked
from .uploads import FIRST, described, disk, load, packed

VARIABLES = os.urandom(270_840)
NVRAM = '<vmw:ExtraConfig ovf:required="false" vmw:key="nvram" vmw:value="{}"/>'


def nvram_of(host: Host, name: str) -> File:
    """Return the file in which vSphere keeps the variables of a VM's firmware."""
    simulator = host.simulator
    with simulator.database.lock:
        stores = [each.id for each in simulator.database.all(vim.Datastore)]
        (file,) = filter(None, (simulator.files.find(store, f"{name}/{name}.nvram") for store in stores))
    return file


def give_uefi(host: Host, content: bytes = VARIABLES, name: str = "vm-1") -> None:
    """Let a VM have UEFI firmware with these variables."""
    nvram_of(host, name).content = content
    with host.simulator.database.lock:
        host.vm(name)["config"].firmware = "efi"


def with_nvram(descriptor: bytes, *values: str, href: str = "uefi.nvram") -> bytes:
    """Return a descriptor that names a file of UEFI variables, as vSphere writes it."""
    listed = f'<ovf:File ovf:id="nvram" ovf:href="{href}" ovf:size="3"/></ovf:References>'.encode()
    settings = "".join(NVRAM.format(value) for value in values or ["ovf:/file/nvram"]).encode()
    section = b"</ovf:VirtualHardwareSection>"
    document = descriptor.replace(b"</ovf:References>", listed).replace(section, settings + section)
    assert document.count(b"nvram") > descriptor.count(b"nvram")
    return document


def image(disks: dict[str, bytes], *values: str, nvram: bytes | None = b"abc") -> bytes:
    """Return an appliance with a disk and UEFI variables."""
    files = {"disk-1.vmdk": disks["disk-1.vmdk"]} | ({} if nvram is None else {"uefi.nvram": nvram})
    guest = described(disk(1, FIRST), firmware="efi")
    return packed(guest, files, lambda descriptor: with_nvram(descriptor, *values))


def without_nvram(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let leases be as those of vSphere before 6.7."""
    info = host.simulator.leases._info

    def only_disks(lease: Any) -> Any:
        found = info(lease)
        found.deviceUrl = [each for each in found.deviceUrl if each.disk]
        return found

    monkeypatch.setattr(host.simulator.leases, "_info", only_disks)


def test_no_image_chooses_a_file_in_a_datastore(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes]
) -> None:
    give_uefi(with_leases, name="vm-2")
    store = with_leases.vm("vm-2")["config"].files.vmPathName.partition("]")[0]
    made = load(log_in(with_leases), image(disks, "ovf:/file/nvram", f"{store}] vm-2/vm-2.nvram"))
    assert nvram_of(with_leases, "vm-2").content == VARIABLES
    assert nvram_of(with_leases, made.name).content == b"abc"
    config = with_leases.vm(made.name)["config"]
    assert [each.key for each in config.extraConfig if each.key == "nvram"] == []


def test_a_disk_is_not_taken_for_variables(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    made = load(log_in(with_leases), image(disks, "ovf:/file/file1"))
    assert nvram_of(with_leases, made.name).content is None
    assert "'disk-1.vmdk', the UEFI variables" in caplog.text


@pytest.mark.parametrize("size", [4 * MIB + 1, 8 * MIB])
def test_too_large_a_file_is_rejected_and_leaves_nothing(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], size: int
) -> None:
    before = Everything.of(with_leases)
    with pytest.raises(InvalidArguments, match=r"'uefi\.nvram' in the archive has more than 4194304 bytes"):
        load(log_in(with_leases), image(disks, nvram=bytes(size)))
    assert Everything.of(with_leases) == before


def test_variables_that_vsphere_does_not_take_leave_nothing(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(leases: Leases, lease: Any, _file: Any, _content: bytes) -> bool:
        leases.fail(lease, vim.fault.NoDiskSpace(file="a", datastore="b"))
        return False

    monkeypatch.setattr(Leases, "store_settings", fail)
    before = Everything.of(with_leases)
    with pytest.raises(Exception, match="NoDiskSpace"):
        load(log_in(with_leases), image(disks))
    assert Everything.of(with_leases) == before


def test_uefi_variables_are_exported_and_imported_again(
    host: Host, leases: NfcServer, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    give_uefi(host)
    session = log_in(host)
    archive = received(guest_export(session, "vm-1"))
    found = unpacked(archive)
    assert found.names[-2:] == ["guest.nvram", "guest.mf"]
    assert b'href="guest.nvram"' in found.descriptor
    assert b'key="nvram"' in found.descriptor
    assert f'size="{len(VARIABLES)}"'.encode() in found.descriptor
    made = load(session, archive)
    assert host.vm(made.name)["config"].firmware == "efi"
    assert nvram_of(host, made.name).content == VARIABLES
    assert "UEFI" not in caplog.text
    assert "not imported" not in caplog.text
    assert host.simulator.leases.held() == []


def test_the_settings_of_a_bios_are_not_exported(with_leases: Host, log_in: Connect) -> None:
    nvram_of(with_leases, "vm-1").content = VARIABLES
    found = unpacked(received(guest_export(log_in(with_leases), "vm-1")))
    assert "guest.nvram" not in found.names
    assert b"nvram" not in found.descriptor


def test_a_vsphere_that_does_not_export_variables_exports_the_rest(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    give_uefi(with_leases)
    without_nvram(with_leases, monkeypatch)
    found = unpacked(received(guest_export(log_in(with_leases), "vm-1")))
    assert found.disks
    assert b"nvram" not in found.descriptor
    assert "does not have the UEFI variables" in caplog.text


def test_a_file_that_is_too_large_is_not_exported(
    with_leases: Host, log_in: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    give_uefi(with_leases, bytes(4 * MIB + 1))
    found = unpacked(received(guest_export(log_in(with_leases), "vm-1")))
    assert b"nvram" not in found.descriptor
    assert "does not have the UEFI variables" in caplog.text


def test_a_host_that_does_not_send_variables_ends_the_export(
    with_leases: Host, log_in: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    give_uefi(with_leases)

    def fail(_handler: Any, _file: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(nfc_server._Handler, "_pieces", fail)
    with pytest.raises(Exception, match="broke off a file"):
        guest_export(log_in(with_leases), "vm-1")
    assert with_leases.simulator.leases.held() == []


def test_a_vsphere_that_has_no_place_for_variables_imports_the_rest(
    with_leases: Host,
    log_in: Connect,
    disks: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    without_nvram(with_leases, monkeypatch)
    made = load(log_in(with_leases), image(disks))
    assert nvram_of(with_leases, made.name).content is None
    assert "'uefi.nvram'" in caplog.text


def test_variables_of_other_firmware_are_not_imported(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    made = load(log_in(with_leases), image(disks), firmware="bios")
    assert nvram_of(with_leases, made.name).content is None
    assert "'uefi.nvram'" in caplog.text


def test_an_image_without_the_file_that_it_names_is_imported(
    with_leases: Host, log_in: Connect, disks: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    made = load(log_in(with_leases), image(disks, nvram=None))
    assert nvram_of(with_leases, made.name).content is None
    assert "the image lacks 'uefi.nvram'" in caplog.text
