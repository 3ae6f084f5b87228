"""Guests of appliances that clients upload to a real libvirtd."""

import gzip
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from core.appliances.test_foreign_descriptors import VIRTUALBOX_2, VMWARE
from simplestack import GIB, MIB, GuestImport, GuestState, InvalidArguments
from simplestack.appliances import ApplianceInterface, chunk_name, write_descriptor
from simplestack_kvm.hooks.guests import guest_delete, guest_info
from simplestack_kvm.hooks.interfaces import network_interface_list
from simplestack_kvm.hooks.power import guest_shutdown
from simplestack_kvm.hooks.tags import tag_list
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .appliances import (
    FIRST,
    SECOND,
    appliance,
    assert_disks,
    disk,
    image,
    manifest,
    ova,
    stream_optimized,
    tar,
)
from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .test_guest_life import BOOT_SECONDS, answers
from .uploads import load

Until = Callable[[Callable[[], bool], float, str], None]
VMDK = "subformat=streamOptimized"


@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
@pytest.mark.parametrize("compressed", [False, True], ids=["plain", "gzip"])
def test_the_disks_of_an_appliance_are_those_of_its_guest_in_any_order(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, chunked: bool, compressed: bool
) -> None:
    before = host_state(session.connection, libvirtd)
    described = appliance(
        disk("first.qcow2", FIRST, name="root <&>"),
        disk(None, bytes(3 * MIB)),
        disk("second.vmdk", SECOND, "vmdk"),
        disk("third.raw", SECOND, "raw", name="data"),
        cpus=2,
        tags=("blue", "a/b <&> ü"),
        description="two\nlines <&>",
    )
    body = ova(
        described,
        {
            "third.raw": SECOND,
            "second.vmdk": stream_optimized(tmp_path, SECOND),
            "first.qcow2": image(tmp_path, FIRST),
        },
    )
    made = load(session, libvirtd, gzip.compress(body) if compressed else body, None, chunked=chunked)
    assert (made.name, made.memory, made.cpus, made.state) == ("packed", 64, 2, GuestState.STOPPED)
    assert (made.hdd, made.paravirtualized) == (11 * MIB / GIB, True)
    disks = assert_disks(session, made, tmp_path, FIRST, bytes(3 * MIB), SECOND, SECOND)
    assert [each.id for each in disks] == ["vda", "vdb", "vdc", "vdd"]
    assert (disks[0].name, disks[3].name) == ("root <&>", "data")
    assert tag_list(session, made.id) == ["a/b <&> ü", "blue"]
    domain = session.connection.lookupByUUIDString(made.id)
    assert parse_document(domain.XMLDesc()).findtext("description") == "two\nlines <&>"
    guest_delete(session, made.id)
    assert host_state(session.connection, libvirtd) == before


def test_guests_of_one_appliance_have_different_names(
    session: KvmSession, libvirtd: Libvirtd, warnings: list[str]
) -> None:
    for name in ("packed", "ü" * 123):
        body = ova(appliance(name=name), {})
        made = [load(session, libvirtd, body, None) for _ in range(3)]
        shown = name if name == "packed" else "ü" * 121
        assert [guest.name for guest in made] == [name, f"{shown} (2)", f"{shown} (3)"]
        assert len([text for text in warnings if f"another one has the name '{name}'" in text]) == 2
        for guest in made:
            guest_delete(session, guest.id)


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256"])
@pytest.mark.parametrize("place", ["after the descriptor", "at the end"])
def test_a_manifest_may_come_before_or_after_the_disks(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, algorithm: str, place: str
) -> None:
    document = write_descriptor(appliance(disk("disk.qcow2", FIRST)))
    content = image(tmp_path, FIRST)
    listed = {"packed.mf": manifest({"packed.ovf": document, "disk.qcow2": content}, algorithm)}
    files = {"disk.qcow2": content}
    both = files | listed if place == "at the end" else listed | files
    made = load(session, libvirtd, ova(document, both | {"packed.cert": b"whoever"}), None)
    assert_disks(session, made, tmp_path, FIRST)
    guest_delete(session, made.id)


def test_a_disk_may_be_split_into_chunks(session: KvmSession, libvirtd: Libvirtd, tmp_path: Path) -> None:
    contents = {"one": (FIRST, image(tmp_path, FIRST), 100_000), "two": (SECOND, SECOND, MIB)}
    files: dict[str, bytes] = {}
    for name, (_, content, size) in contents.items():
        for number, start in enumerate(range(0, len(content), size)):
            files[chunk_name(name, number)] = content[start : start + size]
    described = appliance(
        disk("one", FIRST, chunk_bytes=100_000, file_bytes=len(contents["one"][1])),
        disk("two", SECOND, "raw", chunk_bytes=MIB, file_bytes=len(SECOND)),
    )
    made = load(session, libvirtd, ova(described, files), None)
    assert_disks(session, made, tmp_path, FIRST, SECOND)
    guest_delete(session, made.id)


@pytest.mark.parametrize("start", [b"\x1f\x8b\x08", b"BZh", bytes(32769) + b"CD001\1"])
def test_a_raw_disk_may_begin_like_an_iso_or_compressed_data(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, start: bytes
) -> None:
    content = start + SECOND[len(start) :]
    made = load(session, libvirtd, ova(appliance(disk("disk", SECOND, "raw")), {"disk": content}), None)
    assert_disks(session, made, tmp_path, content)
    guest_delete(session, made.id)


def test_an_appliance_of_vmware_gets_hardware_that_its_guest_has_drivers_for(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, warnings: list[str]
) -> None:
    content = stream_optimized(tmp_path, FIRST)
    document = VMWARE.replace('ovf:size="1000"', f'ovf:size="{len(content)}"').replace('"efi"', '"bios"')
    body = tar(
        {"web 1.ovf": document.encode(), "web 1-disk1.vmdk": content, "web 1.nvram": b"x", "a.iso": b""}
    )
    made = load(session, libvirtd, body, GuestImport(network=[libvirtd.network]))
    assert (made.name, made.memory, made.cpus, made.paravirtualized) == ("web 1", 2048, 4, False)
    disks = assert_disks(session, made, tmp_path, FIRST)
    assert disks[0].id == "sda"
    assert [each.network for each in network_interface_list(session, made.id)] == [libvirtd.network]
    assert [text for text in warnings if "2 files" in text and "'web 1.nvram'" in text]
    guest_delete(session, made.id)


def test_an_appliance_of_virtualbox_is_imported(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    document = VIRTUALBOX_2.replace('"EFI"', '"BIOS"').encode()
    content = stream_optimized(tmp_path, FIRST)
    files = {"box-disk001.vmdk": content}
    listed = manifest({"box.ovf": document, **files}, "SHA1")
    body = tar({"box.ovf": document, **files, "box.mf": listed}, tarfile.GNU_FORMAT)
    made = load(session, libvirtd, body, GuestImport(name="other", memory=32, network=[libvirtd.network]))
    assert (made.name, made.memory, made.paravirtualized) == ("other", 32, False)
    assert_disks(session, made, tmp_path, FIRST)
    guest_delete(session, made.id)


def test_the_query_changes_the_devices_of_an_appliance(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path
) -> None:
    described = appliance(
        disk("disk.vmdk", FIRST, "vmdk", bus="scsi", controller="lsilogic"),
        interfaces=(ApplianceInterface(network="VM Network", model="e1000"),),
    )
    body = ova(described, {"disk.vmdk": stream_optimized(tmp_path, FIRST)})
    wanted = GuestImport(paravirtualized=True, cpus=2, network=[libvirtd.network] * 2)
    made = load(session, libvirtd, body, wanted)
    assert (made.paravirtualized, made.cpus) == (True, 2)
    document = parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc())
    models = [model.get("type") for model in document.iterfind("devices/interface/model")]
    assert models == ["virtio", "virtio"]
    guest_delete(session, made.id)


def test_the_guest_of_an_appliance_boots(
    session: KvmSession, libvirtd: Libvirtd, guest_image: Path, tmp_path: Path, until: Until
) -> None:
    command = ["qemu-img", "convert", "-O", "vmdk", "-o", VMDK, str(guest_image), str(tmp_path / "disk.vmdk")]
    subprocess.run(command, check=True)
    content = (tmp_path / "disk.vmdk").read_bytes()
    interface = ApplianceInterface(network=libvirtd.network)
    described = appliance(
        disk("disk.vmdk", bytes(48 * MIB), "vmdk"), memory_mib=128, interfaces=(interface,), name="boots"
    )
    made = load(session, libvirtd, ova(described, {"disk.vmdk": content}), GuestImport(start=True))
    try:
        assert made.state == GuestState.STARTED
        until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
    finally:
        guest_shutdown(session, made.id, force=True)
        guest_delete(session, made.id)


def test_the_work_for_a_file_does_not_grow_with_the_number_of_disks(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    """An archive may have thousands of files, which compress well, and hundreds of disks."""
    calls = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    described = appliance(
        *(disk(f"{'%41' * 80}{number}", FIRST, chunk_bytes=MIB, file_bytes=MIB) for number in range(200))
    )
    counts = []
    for files in (100, 200):
        body = ova(described, {f"{number}.{0:09}": b"" for number in range(files)})
        calls = 0
        sys.setprofile(count)
        try:
            with pytest.raises(InvalidArguments, match="the archive lacks"):
                load(session, libvirtd, body, None)
        finally:
            sys.setprofile(None)
        counts.append(calls)
    assert counts[1] - counts[0] < 100 * 100
