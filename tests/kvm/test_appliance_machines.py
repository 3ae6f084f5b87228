"""Machines and buses of guests that come from own exports."""

from pathlib import Path

import libvirt
import pytest

from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .appliances import FIRST, appliance, assert_disks, disk, image, ova
from .counterparts.libvirtd import Libvirtd
from .uploads import load


@pytest.mark.parametrize(
    ("machine", "place"),
    [
        ("pc-q35-7.2", ("scsi", "virtio-scsi", "sda")),
        ("pc-q35-7.2", ("sata", None, "sda")),
        ("pc-q35-7.2", ("usb", None, "sda")),
        ("pc-i440fx-7.2", ("ide", None, "hda")),
        ("pc-i440fx-7.2", ("scsi", "lsilogic", "sda")),
    ],
)
def test_a_guest_of_an_own_export_keeps_its_machine_and_buses(
    session: KvmSession,
    libvirtd: Libvirtd,
    tmp_path: Path,
    machine: str,
    place: tuple[str, str | None, str],
) -> None:
    bus, controller, target = place
    packed = disk("disk", FIRST, bus=bus, controller=controller, name="root")
    described = appliance(packed, machine=machine, arch="x86_64")
    made = load(session, libvirtd, ova(described, {"disk": image(tmp_path, FIRST)}), None)
    (found,) = assert_disks(session, made, tmp_path, FIRST)
    assert (found.id, found.name) == (target, "root")
    domain = session.connection.lookupByUUIDString(made.id)
    document = parse_document(domain.XMLDesc())
    system, element = document.find("os/type"), document.find(f"devices/disk/target[@dev='{target}']")
    assert system is not None
    assert element is not None
    assert (system.get("machine"), element.get("bus")) == (machine, bus)
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    domain.destroy()
    guest_delete(session, made.id)


@pytest.mark.parametrize(("newer", "newest"), [("pc-q35-99.0", "pc-q35-"), ("pc-i440fx-99.0", "pc-i440fx-")])
def test_a_machine_that_the_host_is_too_old_for_is_replaced_with_a_warning(
    session: KvmSession, libvirtd: Libvirtd, warnings: list[str], newer: str, newest: str
) -> None:
    made = load(session, libvirtd, ova(appliance(machine=newer), {}), None)
    document = parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc())
    (system,) = document.iterfind("os/type")
    assert system.get("machine", "").startswith(newest)
    assert [text for text in warnings if newer in text]
    guest_delete(session, made.id)
