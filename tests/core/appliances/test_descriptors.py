"""OVF descriptors that this plugin writes come back as they were; damaged ones are errors for the client."""

import copy
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Literal, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simplestack import InvalidArguments
from simplestack.appliances import (
    MAX_DESCRIPTOR_BYTES,
    Appliance,
    ApplianceDisk,
    ApplianceInterface,
    Bus,
    Firmware,
    read_descriptor,
    write_descriptor,
)
from simplestack.appliances.terms import FORMAT_URIS, OVF
from simplestack.appliances.xml_input import parse_descriptor

quickly = settings(derandomize=True, database=None, deadline=None, max_examples=150)

#: What XML can have, control characters excepted.
characters = st.characters(
    min_codepoint=0x20, exclude_categories=["Cs"], exclude_characters="\x7f\ufffe\uffff"
)
names = st.text(characters, min_size=1, max_size=50)
hrefs = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9 _.-]{0,30}", fullmatch=True)
words = st.from_regex(r"[a-z0-9][a-z0-9_.-]{0,20}", fullmatch=True)
sizes = st.integers(1, 2**46)
FIRMWARES: tuple[Firmware, ...] = get_args(Firmware)


@st.composite
def disks(draw: st.DrawFn, href: str | None) -> ApplianceDisk:
    bus = draw(st.sampled_from([None, *get_args(Bus)]))
    file_sizes = st.none() | sizes
    return ApplianceDisk(
        href=href,
        capacity_bytes=draw(sizes),
        file_bytes=None if href is None else draw(file_sizes),
        populated_bytes=draw(file_sizes),
        format=draw(st.sampled_from([None, *FORMAT_URIS])),
        bus=bus,
        controller=draw(st.none() | words) if bus == "scsi" else None,
        name=draw(st.none() | names),
        chunk_bytes=None if href is None else draw(file_sizes),
    )


@st.composite
def interfaces(draw: st.DrawFn) -> ApplianceInterface:
    mode: Literal["locked", "disabled"] | None = draw(st.sampled_from([None, "locked", "disabled"]))
    addresses = st.lists(st.ip_addresses(v=4).map(str), max_size=3).map(tuple)
    return ApplianceInterface(
        # White space around a name is not kept, and no network has such a name.
        network=draw(st.none() | names.map(str.strip).filter(bool)),
        mac=draw(st.none() | st.from_regex(r"[0-9a-f][02468ace](:[0-9a-f][1-9]){5}", fullmatch=True)),
        model=draw(st.none() | words),
        active=draw(st.booleans()),
        ratelimit=draw(st.none() | st.integers(1, 10**12)),
        locking_mode=mode,
        ipv4_allowed=() if mode is None else draw(addresses),
    )


@st.composite
def appliances(draw: st.DrawFn) -> Appliance:
    files = draw(st.lists(hrefs, max_size=5, unique=True))
    has_nvram = draw(st.booleans())
    nvram = files.pop() if files and has_nvram else None
    return Appliance(
        name=draw(names),
        memory_mib=draw(st.none() | st.integers(1, 64 * 1024**2)),
        cpus=draw(st.none() | st.integers(1, 4096)),
        firmware=draw(st.sampled_from(FIRMWARES)),
        secure_boot=draw(st.booleans()),
        machine=draw(st.none() | words),
        arch=draw(st.none() | words),
        template=draw(st.booleans()),
        tags=tuple(draw(st.lists(st.text(characters | st.just("\ufffe"), min_size=1), max_size=3))),
        nvram_href=nvram,
        description=draw(st.text(characters | st.sampled_from("\t\n\r"), max_size=50)),
        disks=tuple(draw(disks(href)) for href in draw(st.permutations([*files, None]))),
        interfaces=tuple(draw(st.lists(interfaces(), max_size=3))),
        cd_drives=draw(st.integers(0, 5)),
    )


FULL = Appliance(
    name="web <1> & more",
    memory_mib=512,
    cpus=2,
    firmware="efi",
    machine="pc-q35-7.2",
    arch="x86_64",
    tags=("production", "<&>"),
    nvram_href="nvram.fd",
    description="two\nlines",
    disks=(
        ApplianceDisk(
            href="disk1.qcow2", capacity_bytes=2**30, file_bytes=200704, format="qcow2", bus="virtio"
        ),
        ApplianceDisk(
            href="disk2.raw",
            capacity_bytes=2**20,
            file_bytes=2**20,
            format="raw",
            bus="scsi",
            controller="virtio-scsi",
            chunk_bytes=2**19,
        ),
        ApplianceDisk(href=None, capacity_bytes=512, bus="ide"),
    ),
    interfaces=(
        ApplianceInterface(network="lan", mac="52:54:00:00:00:01", model="virtio", ratelimit=8192),
        ApplianceInterface(
            network="dmz", model="e1000", active=False, locking_mode="locked", ipv4_allowed=("192.0.2.1",)
        ),
    ),
    cd_drives=1,
)


@quickly
@given(appliances())
def test_a_descriptor_is_read_as_it_was_written(appliance: Appliance) -> None:
    assert read_descriptor(write_descriptor(appliance)) == appliance


def test_all_parts_of_a_guest_are_in_its_descriptor() -> None:
    assert read_descriptor(write_descriptor(FULL)) == FULL


def test_other_programs_find_what_they_need() -> None:
    text = write_descriptor(FULL).decode()
    for part in (
        '<ovf:File ovf:id="file1" ovf:href="disk1.qcow2" ovf:size="200704" />',
        'ovf:capacity="1073741824" ovf:capacityAllocationUnits="byte" ovf:fileRef="file1"',
        '<ovf:Network ovf:name="lan" />',
        "<rasd:HostResource>ovf:/disk/disk1</rasd:HostResource>",
        "<rasd:Address>52:54:00:00:00:01</rasd:Address>",
        "<rasd:ResourceSubType>E1000</rasd:ResourceSubType>",
        '<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi" />',
        '<simplestack:GuestSection ovf:required="false">',
    ):
        assert part in text


def test_each_item_has_an_id_of_its_own_and_each_drive_a_place_of_its_own() -> None:
    ide = tuple(ApplianceDisk(href=None, capacity_bytes=512, bus="ide") for _ in range(4))
    envelope = parse_descriptor(write_descriptor(replace(FULL, disks=ide)))
    items = [
        {field.tag.rpartition("}")[2]: field.text for field in item}
        for item in envelope.iter(f"{{{OVF}}}Item")
    ]
    ids = [item["InstanceID"] for item in items]
    assert len(set(ids)) == len(ids)
    assert {item["Parent"] for item in items if "Parent" in item} <= set(ids)
    places = [(item["Parent"], item["AddressOnParent"]) for item in items if "Parent" in item]
    assert len(set(places)) == len(places) == 5
    assert [place for _, place in places] == ["0", "1", "0", "1", "0"]  # IDE has two drives on a channel


def edited(old: str, new: str) -> Callable[[str], str]:
    def edit(text: str) -> str:
        assert old in text
        return text.replace(old, new)

    return edit


BOMB = (
    '<!DOCTYPE Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    '<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1">&b;</Envelope>'
)
OUTSIDE = [
    "../disk1.qcow2",
    "/etc/shadow",
    "folder/disk1.qcow2",
    "https://example.com/disk1.qcow2",
    "file:disk1",
    "..",
    ".",
    "",
    "%2e%2e%2fdisk1",
    "..\\disk1",
    "C:disk1",
    "disk1&#10;.qcow2",
    "x" * 256,
]


@pytest.mark.parametrize("href", OUTSIDE)
def test_a_file_outside_of_the_archive_is_rejected(href: str) -> None:
    text = write_descriptor(FULL).decode()
    with pytest.raises(InvalidArguments, match="outside of the archive"):
        read_descriptor(text.replace('ovf:href="disk1.qcow2"', f'ovf:href="{href}"').encode())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda _: BOMB, "document type"),
        (lambda text: text[:-20], "not well-formed"),
        (lambda _: "<a/>", "another XML document"),
        (lambda text: text + "<!--" + "x" * MAX_DESCRIPTOR_BYTES + "-->", "more than 1048576 bytes"),
        (lambda text: text.replace("VirtualHardwareSection", "Hardware"), "no `VirtualHardwareSection`"),
        (lambda text: re.sub(r"VirtualSystem\b", "Machine", text), "no `VirtualSystem`"),
        (edited('fileRef="file1"', 'fileRef="file9"'), "does not list the file"),
        (edited("ovf:/disk/disk1<", "ovf:/disk/disk9<"), "that its `DiskSection` does not have"),
        (edited("ovf:/disk/disk1<", "ovf:/file/file1<"), "that its `DiskSection` does not have"),
        (edited("ovf:/disk/disk2<", "ovf:/disk/disk1<"), "disk 'disk1' twice"),
        (edited('fileRef="file2"', 'fileRef="file1"'), "file 'disk1.qcow2' as two disks"),
        (edited('ovf:href="disk2.raw"', 'ovf:href="disk1.qcow2"'), "two IDs for the same file"),
        (edited('ovf:id="file2"', 'ovf:id="file1"'), "without an ID of its own"),
        (edited('ovf:size="200704"', 'ovf:size="-1"'), "a file of the size"),
        (edited('ovf:size="200704"', 'ovf:size="200704" ovf:compression="gzip"'), "compression 'gzip'"),
        (edited('ovf:fileRef="file1"', 'ovf:fileRef="file1" ovf:parentRef="disk2"'), "changes of another"),
        (edited('capacity="1073741824"', 'capacity="${size}"'), "`capacity`"),
        (edited('capacity="1073741824"', 'capacity="0"'), "`capacity`"),
        (edited('capacity="1073741824"', 'capacity="' + "9" * 5000 + '"'), "`capacity`"),
        (edited('capacity="1073741824"', 'capacity="٣"'), "`capacity`"),
        (edited('Units="byte"', 'Units="byte * 10^99"'), "`capacity`"),
        (edited('Units="byte"', 'Units="parsec"'), "unknown unit"),
        (edited("byte * 2^20", "byte"), "less than 1 MiB"),
        (edited(">2</rasd:VirtualQuantity>", ">0</rasd:VirtualQuantity>"), "CPUs"),
        (edited("52:54:00:00:00:01", "00:00:00:00:00:00"), "MAC address 00:00:00:00:00:00"),
        (edited("52:54:00:00:00:01", "01:00:5e:00:00:01"), "MAC address 01:00:5e:00:00:01"),
        (edited('ipv4Allowed="192.0.2.1"', 'ipv4Allowed="x"'), "not an IPv4 address"),
        (edited('lockingMode="locked"', 'lockingMode="open"'), "locking mode"),
        (edited('machine="pc-q35-7.2"', 'machine="&lt;x&gt;"'), "`machine`"),
        (edited('ratelimit="8192"', 'ratelimit="0"'), "`ratelimit`"),
        (edited('Tag name="production"', 'Tag name="a%0Ab"'), "tag"),
        (edited('nvramFile="file3"', 'nvramFile="file9"'), "UEFI variables"),
        (edited('<simplestack:Guest name="web', '<simplestack:Guest name="&#10;web'), "name of the guest"),
        (edited(">17</rasd:ResourceType>", ">disk</rasd:ResourceType>"), "`ResourceType`"),
    ],
)  # fmt: skip
def test_a_descriptor_that_makes_no_sense_is_rejected(edit: Callable[[str], str], message: str) -> None:
    text = write_descriptor(FULL).decode()
    with pytest.raises(InvalidArguments, match=message):
        read_descriptor(edit(text).encode())


@quickly
@given(st.binary(max_size=300))
def test_bytes_are_a_descriptor_or_an_error_for_the_client(document: bytes) -> None:
    with pytest.raises(InvalidArguments):
        read_descriptor(document)


@quickly
@given(appliances(), st.data())
def test_a_damaged_descriptor_is_read_or_an_error_for_the_client(
    appliance: Appliance, data: st.DataObject
) -> None:
    document = bytearray(write_descriptor(appliance))
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(document)))
        end = start + data.draw(st.integers(0, 20))
        document[start:end] = data.draw(st.binary(max_size=10) | st.text(max_size=10).map(str.encode))
    with suppress(InvalidArguments):
        read_descriptor(bytes(document))


@quickly
@given(appliances(), st.data())
def test_any_value_in_a_descriptor_is_read_or_an_error_for_the_client(
    appliance: Appliance, data: st.DataObject
) -> None:
    envelope = parse_descriptor(write_descriptor(appliance))
    elements = list(envelope.iter())
    leaves = [element for element in elements if not len(element)]
    value = data.draw(
        st.sampled_from(["", "-1", "0", "9" * 30, "²", "../x", "nan", "${x}", "byte * 2^60"]) | names
    )
    for _ in range(data.draw(st.integers(1, 3))):
        element = data.draw(st.sampled_from(elements))
        names_of_attributes = sorted(element.attrib)
        if names_of_attributes:
            element.set(data.draw(st.sampled_from(names_of_attributes)), value)
        else:
            element.text = value
        element.extend(map(copy.deepcopy, data.draw(st.lists(st.sampled_from(leaves), max_size=2))))
    with suppress(InvalidArguments):
        read_descriptor(ET.tostring(envelope))
