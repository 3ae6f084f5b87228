"""Appliances that nobody should trust, or that are damaged: rejected, and nothing is left of them."""

import gzip
import io
import os
import struct
import tarfile
from pathlib import Path

import pytest

from simplestack import (
    MIB,
    Conflict,
    EntityNotFound,
    GuestImport,
    HypervisorTimeout,
    InsufficientStorage,
    InvalidArguments,
)
from simplestack.appliances import ApplianceInterface, chunk_name, write_descriptor
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .appliances import FIRST, SECOND, appliance, disk, image, manifest, ova, stream_optimized, tar
from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .small_pools import small_pool
from .uploads import Reject, Upload, load, rejecting

DISK = appliance(disk("disk", FIRST))


@pytest.fixture
def reject(session: KvmSession, libvirtd: Libvirtd) -> Reject:
    return rejecting(session, libvirtd)


@pytest.fixture
def content(tmp_path: Path) -> bytes:
    """Give the qcow2 image of a disk."""
    return image(tmp_path, FIRST)


def test_an_appliance_that_is_cut_short_is_rejected(reject: Reject, content: bytes) -> None:
    body = ova(DISK, {"disk": content})
    end = sum(512 + -(-len(each) // 512) * 512 for each in (write_descriptor(DISK), content)) + 1024
    assert not body[end - 1024 :].strip(b"\0")
    for length in (511, 600, end // 2, end - 1536, end - 1024, end - 1):
        reject(body[:length], "ends too early|no known format")
    compressed = gzip.compress(body)
    for length in (20, len(compressed) // 2, len(compressed) - 1):
        reject(compressed[:length], "ends too early")


def test_the_descriptor_must_come_first(reject: Reject, content: bytes) -> None:
    document = write_descriptor(DISK)
    for files in ({"disk": content, "packed.ovf": document}, {"ova.xml": b"<x/>", "packed.ovf": document}):
        reject(tar(files), "must begin with its OVF descriptor.*repack it")


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_a_manifest_that_does_not_fit_is_noticed(
    reject: Reject, content: bytes, algorithm: str, place: str
) -> None:
    document = write_descriptor(DISK)
    good = {"packed.ovf": document, "disk": content}
    for wrong in (good | {"disk": content + b"x"}, good | {"packed.ovf": b"x"}, good | {"lacks": b""}):
        listed = {"packed.mf": manifest(wrong, algorithm)}
        files = listed | {"disk": content} if place == "before" else {"disk": content} | listed
        reject(ova(document, files), "manifest")


def test_files_that_are_missing_or_outside_are_rejected(reject: Reject, content: bytes) -> None:
    reject(ova(DISK, {}), "lacks 'disk'")
    reject(ova(DISK, {"other": content}), "lacks 'disk'")
    for href in (
        "../../etc/shadow",
        "/etc/shadow",
        "http://10.0.0.1/disk",
        "file:///etc/shadow",
        "a/b",
        "..",
    ):
        document = write_descriptor(DISK).replace(b'href="disk"', f'href="{href}"'.encode())
        reject(ova(document, {"disk": content}), "outside of the archive")


def test_names_in_the_archive_are_no_paths(reject: Reject, content: bytes) -> None:
    for name in ("../disk", "/tmp/disk", "folder/disk", "di\x1bsk", "di\ufffesk"):
        reject(ova(DISK, {name: content}, tarfile.PAX_FORMAT), "put plain files into it")


def test_a_disk_that_is_there_twice_is_rejected(reject: Reject, content: bytes) -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, data in (("a.ovf", write_descriptor(DISK)), ("disk", content), ("disk", content)):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    reject(output.getvalue(), "'disk' twice")
    escaped = appliance(disk("a%20b", FIRST))
    reject(ova(escaped, {"a b": content, "a%20b": content}), "'a%20b' twice")


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.GNUTYPE_SPARSE]
)
def test_links_devices_and_sparse_files_are_rejected(reject: Reject, kind: bytes) -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        document = write_descriptor(DISK)
        info = tarfile.TarInfo("packed.ovf")
        info.size = len(document)
        archive.addfile(info, io.BytesIO(document))
        link = tarfile.TarInfo("disk")
        link.type, link.linkname = kind, "/etc/shadow"
        archive.addfile(link)
    reject(output.getvalue(), "put only plain files into it")


def test_a_size_that_lies_is_noticed(reject: Reject, content: bytes) -> None:
    body = bytearray(ova(DISK, {"disk": content, "next": b"x" * 100}))
    at = body.index(b"disk\0" + b"\0" * 50)
    for size in (len(content) - 600, len(content) + 512, 2**40):
        info = tarfile.TarInfo("disk")
        info.size = size
        body[at : at + 512] = info.tobuf(tarfile.GNU_FORMAT)
        reject(bytes(body), "archive|bytes")
    described = appliance(disk("disk", FIRST, file_bytes=len(content) + 1))
    reject(ova(described, {"disk": content}), "not .* as its descriptor says")


BOMB = """<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<Envelope>&c;</Envelope>"""
FILE = """<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/shadow">]><Envelope>&a;</Envelope>"""


@pytest.mark.parametrize("document", [BOMB, FILE, "<Envelope>", "", "\0", "<a>" * 5000])
def test_a_descriptor_that_is_no_plain_xml_is_rejected(reject: Reject, document: str, content: bytes) -> None:
    reject(ova(document.encode(), {"disk": content}), "OVF descriptor")


def test_a_descriptor_that_is_very_long_is_not_read(session: KvmSession, libvirtd: Libvirtd) -> None:
    info = tarfile.TarInfo("packed.ovf")
    info.size = 2**33
    body = Upload(info.tobuf(tarfile.GNU_FORMAT) + bytes(3 * MIB))
    with pytest.raises(InvalidArguments, match="more than"):
        guest_import(session, body, None, libvirtd.pool, None)
    assert body.read_bytes < MIB


def test_other_files_may_be_large_but_not_the_manifest(reject: Reject, content: bytes) -> None:
    reject(ova(DISK, {"packed.mf": bytes(2 * MIB), "disk": content}), "has more than")


def test_chunks_in_another_order_or_missing_are_rejected(reject: Reject) -> None:
    described = appliance(disk("disk", SECOND, "raw", chunk_bytes=MIB, file_bytes=len(SECOND)))
    first, second = (chunk_name("disk", number) for number in range(2))
    reject(ova(described, {second: SECOND[MIB:], first: SECOND[:MIB]}), "in the order of their numbers")
    reject(ova(described, {first: SECOND[:MIB]}), "not .* as its descriptor says")
    reject(ova(described, {first: SECOND[:MIB], "other": b"", second: SECOND[MIB:]}), "order|not .* as its")
    reject(ova(described, {"disk": SECOND}), f"lacks '{first}'")


def test_each_disk_is_held_to_the_rules_of_images(
    reject: Reject, tmp_path: Path, secret: Path, content: bytes
) -> None:
    """The descriptor says what it likes, and the first disk is there when the second one is rejected."""
    described = appliance(disk("good", FIRST), disk("disk", SECOND, "qcow2"))
    backed = bytearray(image(tmp_path, SECOND))
    name = str(secret).encode()
    backed[8:20] = struct.pack(">QI", 1024, len(name))
    backed[1024 : 1024 + len(name)] = name
    flat = f'# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 8 FLAT "{secret}" 0\n'.encode()
    encrypted = bytearray(image(tmp_path, SECOND))
    encrypted[32:36] = struct.pack(">I", 2)
    for body, match in (
        (bytes(backed), "disk 'disk' of the appliance has a backing file"),
        (flat, "refers to other files"),
        (bytes(encrypted), "encrypted"),
        (b"vhdxfile" + os.urandom(1000), "vhdx"),
        (gzip.compress(SECOND), "compressed by gzip"),
        (SECOND, "no known format. The descriptor says qcow2"),
        (b"", "is empty"),
        (stream_optimized(tmp_path, SECOND)[: 66 * 1024], "cannot be converted"),
    ):
        reject(ova(described, {"good": content, "disk": body}), match)


@pytest.mark.parametrize("image_format", ["qcow2", "vmdk", "luks"])
def test_a_raw_disk_into_which_its_guest_wrote_the_header_of_an_image_is_rejected(
    reject: Reject, tmp_path: Path, secret: Path, image_format: str
) -> None:
    """The host would take it for that image, and copy what the header refers to."""
    header = {
        "qcow2": image(tmp_path, FIRST),
        "vmdk": stream_optimized(tmp_path, FIRST),
        "luks": b"LUKS\xba\xbe",
    }
    described = appliance(disk("disk", SECOND, "raw"))
    body = (header[image_format] + SECOND)[: len(SECOND)]
    reject(ova(described, {"disk": body}), f"said to be raw data, and begins like a {image_format} image")


def test_a_guest_without_memory_or_with_a_name_that_it_cannot_have_is_rejected(
    session: KvmSession, libvirtd: Libvirtd, reject: Reject, content: bytes
) -> None:
    body = ova(appliance(disk("disk", FIRST), memory_mib=None), {"disk": content})
    reject(body, r"\?memory=")
    body = ova(DISK, {"disk": content})
    made = load(session, libvirtd, body, None)
    reject(body, "another guest has the name 'packed'", Conflict, GuestImport(name="packed"))
    guest_delete(session, made.id)
    for name in ("a/b", "..", "x" * 250):
        reject(
            ova(appliance(disk("disk", FIRST), name=name), {"disk": content}),
            "not a valid guest name|is not a valid",
        )


def test_a_network_that_the_host_lacks_is_named_with_those_that_it_has(
    libvirtd: Libvirtd, reject: Reject, content: bytes
) -> None:
    interfaces = (ApplianceInterface(network=libvirtd.network), ApplianceInterface(network="VM <&> Network"))
    body = ova(appliance(disk("disk", FIRST), interfaces=interfaces), {"disk": content})
    reject(body, rf"'VM <&> Network'.*\?network=.*{libvirtd.network}")
    reject(body, r"\ANetwork:nowhere", EntityNotFound, GuestImport(network=["nowhere"]))
    nothing = ova(appliance(interfaces=(ApplianceInterface(network=None),)), {})
    reject(nothing, "an interface on network None|an interface on no network")


def test_a_template_is_not_started(reject: Reject) -> None:
    reject(ova(appliance(template=True), {}), "is a template", description=GuestImport(start=True))


def test_a_guest_of_another_processor_is_rejected(reject: Reject, content: bytes) -> None:
    described = appliance(disk("disk", FIRST), machine="virt-7.2", arch="aarch64")
    reject(ova(described, {"disk": content}), "aarch64, and the host is x86_64")
    described = appliance(disk("disk", FIRST), machine="no-such-machine", arch="x86_64")
    reject(ova(described, {"disk": content}), "machine no-such-machine, which the host's QEMU does not have")


def test_disks_that_do_not_fit_are_removed(session: KvmSession, libvirtd: Libvirtd, tmp_path: Path) -> None:
    raw = os.urandom(14 * MIB)
    described = appliance(disk("one", raw), disk("two", raw))
    packed = image(tmp_path, raw)
    with small_pool(session, libvirtd) as pool:
        body = ova(described, {"one": packed, "two": packed})
        for size in (None, len(body)):
            with pytest.raises(InsufficientStorage):
                guest_import(session, Upload(body), size, pool.name, None)
            assert pool.files() == []
        huge = ova(appliance(disk("one", raw), disk(None, bytes(25 * MIB))), {"one": packed})
        with pytest.raises(InsufficientStorage, match="GiB, and storage small-"):
            guest_import(session, Upload(huge), None, pool.name, None)
        assert pool.files() == []
        bomb = gzip.compress(ova(appliance(), {"zeros": bytes(40 * MIB)}))
        assert len(bomb) < MIB
        with pytest.raises(InsufficientStorage, match="decompressed"):
            guest_import(session, Upload(bomb), len(bomb), pool.name, None)
        assert pool.files() == []


@pytest.mark.parametrize(
    "error",
    [InvalidArguments("the body broke off"), HypervisorTimeout("abandoned"), KeyboardInterrupt()],
    ids=["a client that goes away", "a time limit", "an end"],
)
def test_an_appliance_that_breaks_off_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, content: bytes, error: BaseException
) -> None:
    described = appliance(disk("one", FIRST), disk("two", SECOND, "vmdk"), disk("three", SECOND, "raw"))
    files = {"one": content, "two": stream_optimized(tmp_path, SECOND), "three": SECOND}
    body = ova(described, files)
    before = host_state(session.connection, libvirtd)
    for fail_at in range(0, len(body), len(body) // 7):

        def fail(read_bytes: int, fail_at: int = fail_at) -> None:
            if read_bytes > fail_at:
                raise error

        with pytest.raises(type(error)):
            guest_import(session, Upload(body, fail), None, libvirtd.pool, None)
        assert host_state(session.connection, libvirtd) == before
