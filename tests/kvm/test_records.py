"""Descriptions of domains, read and written: no libvirtd is needed."""

import xml.etree.ElementTree as ET

import pytest

from simplestack import Conflict, GuestState
from simplestack_kvm.entities import guest_entity
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.guests.domain_xml import (
    HostKind,
    Plan,
    VolumeSource,
    build_domain,
    free_target,
    host_kind,
    names_element,
)
from simplestack_kvm.libvirtd.guests.records import disk_names, domain_record, state_of_code

HOSTILE = "\"'><seclabel type='none'/>]]>&amp;<!-- "


def plan(**changes: object) -> Plan:
    source = VolumeSource(path=f"/pool/{HOSTILE}", block=False, format="qcow2")
    members = {
        "uuid": "6d0720e8-6618-4ca0-b15c-7827c2ce8144",
        "name": HOSTILE,
        "memory_mib": 64,
        "cpus": 1,
        "paravirtualized": True,
        "disks": [(source, HOSTILE)],
        "iso": None,
        "networks": [HOSTILE],
    }
    return Plan(**members | changes)  # type: ignore[arg-type]  # a test's defaults


def capabilities(*types: str, machines: tuple[str, ...] = ("pc", "q35")) -> ET.Element:
    domains = "".join(f"<domain type='{kind}'/>" for kind in types)
    machine = "".join(f"<machine>{name}</machine>" for name in machines)
    return ET.fromstring(  # noqa: S314  our own text
        f"<capabilities><host><cpu><arch>x86_64</arch></cpu></host>"
        f"<guest><arch name='i686'><domain type='kvm'/></arch></guest>"
        f"<guest><arch name='x86_64'>{machine}{domains}</arch></guest></capabilities>"
    )


def test_hostile_names_and_paths_stay_data() -> None:
    host = HostKind(domain_type="qemu", arch="x86_64", machine="q35")
    document = build_domain(plan(), host)
    assert document.findtext("name") == HOSTILE
    assert document.find("seclabel") is None
    (disk,) = domain_record(document).disks
    assert (disk.path, disk.name) == (f"/pool/{HOSTILE}", HOSTILE)


def test_the_host_decides_what_kind_of_domain_a_guest_is() -> None:
    assert host_kind(capabilities("qemu", "kvm")).domain_type == "kvm"
    assert host_kind(capabilities("qemu")).domain_type == "qemu"
    assert host_kind(capabilities("qemu", "kvm"), "qemu").domain_type == "qemu"
    with pytest.raises(Conflict, match="no kvm guests"):
        host_kind(capabilities("qemu"), "kvm")
    assert host_kind(capabilities("qemu")).machine == "q35"
    assert host_kind(capabilities("qemu", machines=("pc",))).machine is None
    with pytest.raises(Conflict, match="install QEMU"):
        host_kind(ET.fromstring("<capabilities/>"))  # noqa: S314  our own text


def test_a_kvm_guest_has_the_hosts_cpu_and_an_emulated_one_the_emulators() -> None:
    for domain_type, cpu in (("kvm", "host-model"), ("qemu", None)):
        host = HostKind(domain_type=domain_type, arch="x86_64", machine="q35")
        found = build_domain(plan(), host).find("cpu")
        assert (None if found is None else found.get("mode")) == cpu


def test_a_bare_description_is_a_guest() -> None:
    record = domain_record(parse_document("<domain><name>bare</name></domain>"))
    guest = guest_entity(record, GuestState.STOPPED, "host", [], None)
    assert (guest.name, guest.cpus, guest.memory, guest.hdd, guest.paravirtualized) == (
        "bare",
        None,
        None,
        0,
        None,
    )


def test_names_of_disks_survive_being_written_and_read() -> None:
    names = {"vda": HOSTILE, "vdb": "b"}
    domain = ET.Element("domain")
    ET.SubElement(domain, "metadata").append(names_element(names))
    assert disk_names(parse_document(ET.tostring(domain, encoding="unicode"))) == names


@pytest.mark.parametrize(
    ("bus", "taken", "free"),
    [
        ("virtio", set(), "vda"),
        ("virtio", {"vda", "vdc"}, "vdb"),
        ("sata", {"sda"}, "sdb"),
        ("scsi", {f"sd{chr(code)}" for code in range(97, 123)}, "sdaa"),
    ],
)
def test_the_first_free_device_is_found(bus: str, taken: set[str], free: str) -> None:
    assert free_target(bus, taken) == free


def test_an_ide_bus_has_four_devices() -> None:
    with pytest.raises(Conflict, match="no free device"):
        free_target("ide", {"hda", "hdb", "hdc", "hdd"})


def test_a_saved_guest_is_paused_and_a_running_one_is_not() -> None:
    assert state_of_code(5, saved=True) == GuestState.PAUSED
    assert state_of_code(1, saved=True) == GuestState.STARTED
