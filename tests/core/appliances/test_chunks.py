"""Files of unknown size in archives, which are split into chunks."""

import io
import os
from collections.abc import Iterator

import pytest

from simplestack.appliances import (
    Appliance,
    ApplianceDisk,
    ApplianceReader,
    ArchiveReader,
    DiskFile,
    NewMember,
    archive_bytes,
    archive_chunks,
    write_descriptor,
)

CHUNK = 100_000


def pieces(content: bytes, size: int) -> Iterator[bytes]:
    return (content[at : at + size] for at in range(0, len(content), size))


def packed(content: bytes, piece_bytes: int = 70_000) -> bytes:
    """Make an appliance whose disk has this content, in chunks."""
    disk = ApplianceDisk(href="disk.vmdk", capacity_bytes=1024, chunk_bytes=CHUNK, bus="scsi")
    guest = Appliance(name="a", memory_mib=1, cpus=1, disks=(disk,))
    member = NewMember(
        name="disk.vmdk",
        size_bytes=None,
        content=lambda: pieces(content, piece_bytes),
        chunk_bytes=CHUNK,
    )
    descriptor = write_descriptor(guest)
    assert archive_bytes(descriptor, [member]) is None
    return b"".join(archive_chunks(descriptor, [member]))


@pytest.mark.parametrize("piece_bytes", [1_000, 70_000, CHUNK, 3 * CHUNK + 1])
@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK, 350_001])
def test_chunks_are_read_as_they_were_written(size: int, piece_bytes: int) -> None:
    content = os.urandom(size)
    archive = packed(content, piece_bytes)
    reader = ApplianceReader(ArchiveReader(io.BytesIO(archive)))

    def take(_disk: ApplianceDisk, file: DiskFile) -> bytes:
        assert file.size_bytes is None
        return file.read(size + 1)

    assert reader.read_disks(take) == {"disk.vmdk": content}
    assert reader.ignored == []


def test_every_chunk_but_the_last_has_the_size_in_the_descriptor() -> None:
    archive = ArchiveReader(io.BytesIO(packed(os.urandom(250_000))))
    found = []
    while (member := archive.next()) is not None:
        found.append((member.name, member.size_bytes))
    assert found[1:-1] == [
        ("disk.vmdk.000000000", CHUNK),
        ("disk.vmdk.000000001", CHUNK),
        ("disk.vmdk.000000002", 50_000),
    ]


def test_no_more_than_a_chunk_and_a_piece_are_held() -> None:
    read = 0

    def content() -> Iterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 10_000
            yield os.urandom(10_000)

    member = NewMember(name="d", size_bytes=None, content=content, chunk_bytes=CHUNK)
    sent = 0
    for chunk in archive_chunks(b"<x/>", [member]):
        sent += len(chunk)
        assert read - sent <= CHUNK + 10_000


def test_the_sender_goes_on_while_a_chunk_is_received() -> None:
    read = 0

    def content() -> Iterator[bytes]:
        nonlocal read
        for _ in range(50):
            read += 10_000
            yield os.urandom(10_000)

    member = NewMember(name="d", size_bytes=None, content=content, chunk_bytes=CHUNK)
    seen = set()
    for chunk in archive_chunks(b"<x/>", [member]):
        if len(chunk) == 10_000:
            seen.add(read)
    assert seen == set(range(CHUNK, 500_001, 10_000))
