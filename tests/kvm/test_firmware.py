"""The firmware of new guests, on a real libvirtd with QEMU."""

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from simplestack import Guest, GuestCreate, GuestUpdate, NewDisk
from simplestack_kvm.hooks.guests import guest_clone, guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.hooks.snapshots import snapshot_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware.firmware import require_uefi
from simplestack_kvm.libvirtd.guests.domain_xml import HostKind

from .counterparts.libvirtd import Libvirtd
from .image_guests import traces
from .snapshot_guests import domain_of
from .uefi_guests import VARIABLES, files_in


@pytest.fixture(autouse=True)
def as_before(session: KvmSession, libvirtd: Libvirtd) -> Iterator[None]:
    """Check that every test leaves the host as it was."""
    before = traces(session, libvirtd)
    yield
    assert traces(session, libvirtd) == before


def made(session: KvmSession, libvirtd: Libvirtd, **fields: object) -> Guest:
    common = {
        "name": f"fw {uuid.uuid4().hex[:8]} <&>",
        "memory": 64,
        "disks": [NewDisk(size=0.1)],
        "storage": libvirtd.pool,
    }
    return guest_create(session, GuestCreate(**common | fields))  # type: ignore[arg-type]  # a test's fields


def system_of(session: KvmSession, guest: Guest) -> ET.Element:
    text = domain_of(session, guest).XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE)
    system = ET.fromstring(text).find("os")  # noqa: S314  libvirt's
    assert system is not None
    return system


def variables_of(session: KvmSession, guest: Guest) -> str:
    """Return the name of the file. libvirtd has a file system of its own here."""
    return Path(system_of(session, guest).findtext("nvram", "")).name


def test_a_uefi_guest_starts_with_variables_of_its_own_that_go_with_it(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, warnings: list[str]
) -> None:
    before = files_in(nvram)
    guest = made(session, libvirtd, firmware="uefi", user_data="a", start=True)
    assert system_of(session, guest).get("firmware") == "efi"
    assert variables_of(session, guest) == f"{guest.id}_VARS.fd"
    running = ET.fromstring(domain_of(session, guest).XMLDesc())  # noqa: S314  libvirt's
    template = running.find("os/nvram[@template]")
    assert template is not None
    assert template.get("template") == str(VARIABLES), "variables without keys, so that Secure Boot is off"
    assert files_in(nvram).keys() - before.keys() == {f"{guest.id}_VARS.fd"}
    with pytest.raises(NotImplementedError, match="no snapshots of guests that boot by UEFI"):
        snapshot_create(session, guest.id, "never")
    guest_shutdown(session, guest.id, force=True)
    guest_delete(session, guest.id)
    assert files_in(nvram) == before
    assert warnings == []


def test_a_guest_boots_by_bios_unless_it_is_told_otherwise(session: KvmSession, libvirtd: Libvirtd) -> None:
    for fields in ({}, {"firmware": None}, {"firmware": "bios"}):
        guest = made(session, libvirtd, **fields)
        system = system_of(session, guest)
        assert (system.get("firmware"), system.find("loader"), system.find("nvram")) == (None, None, None)
        guest_delete(session, guest.id)


def test_a_creation_that_fails_leaves_no_variables(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    before = files_in(nvram)
    with pytest.raises(libvirt.libvirtError, match="memory"):  # there is not so much
        made(session, libvirtd, memory=2**22, firmware="uefi", start=True)
    assert files_in(nvram) == before


def test_a_copy_boots_as_its_template_does(session: KvmSession, libvirtd: Libvirtd, nvram: Path) -> None:
    guest = made(session, libvirtd, firmware="uefi", start=True)
    guest_shutdown(session, guest.id, force=True)
    clone = guest_clone(session, guest.id, f"clone {uuid.uuid4().hex[:8]}", None)
    copy = made(session, libvirtd, disks=[], memory=None, template=guest.id, firmware="uefi")
    assert {system_of(session, each).get("firmware") for each in (clone, copy)} == {"efi"}
    with pytest.raises(NotImplementedError, match="`firmware` cannot differ from that of the `template`"):
        made(session, libvirtd, template=guest.id, firmware="bios")
    bios = made(session, libvirtd)
    with pytest.raises(NotImplementedError, match="`firmware` cannot differ"):
        made(session, libvirtd, template=bios.id, firmware="uefi")
    for each in (guest, clone, copy, bios):
        guest_delete(session, each.id)


def test_a_renamed_guest_keeps_its_variables(session: KvmSession, libvirtd: Libvirtd, nvram: Path) -> None:
    guest = made(session, libvirtd, firmware="uefi", start=True)
    guest_shutdown(session, guest.id, force=True)
    guest_update(session, guest.id, GuestUpdate(name=f"renamed {guest.id}"))
    assert variables_of(session, guest) == f"{guest.id}_VARS.fd"
    guest_start(session, guest.id)
    guest_shutdown(session, guest.id, force=True)
    guest_delete(session, guest.id)


def test_a_host_without_uefi_firmware_is_501_with_what_to_do(session: KvmSession) -> None:
    # QEMU has no UEFI firmware for the machines without PCI.
    with pytest.raises(NotImplementedError, match="the host has no UEFI firmware for guests: install it"):
        require_uefi(session, HostKind(domain_type="qemu", arch="x86_64", machine="isapc"))
