"""Further files of an appliance, which its reader keeps in memory."""

import io
from collections.abc import Mapping
from functools import partial

import pytest

from simplestack import InvalidArguments
from simplestack.appliances import (
    Appliance,
    ApplianceDisk,
    ApplianceReader,
    ArchiveReader,
    NewMember,
    archive_chunks,
    write_descriptor,
)

DISK = ApplianceDisk(href="disk.vmdk", capacity_bytes=1024, format="vmdk", bus="scsi", controller="lsilogic")


def reader_of(files: Mapping[str, bytes], nvram: str | None = None, most: int = 0) -> ApplianceReader:
    """Return a reader of an archive with a disk and these files after it."""
    members = [
        NewMember(name=name, size_bytes=len(content), content=partial(iter, [content]))
        for name, content in {"disk.vmdk": b"a disk", **files}.items()
    ]
    guest = Appliance(name="kept", memory_mib=64, cpus=1, disks=(DISK,), nvram_href=nvram)
    archive = b"".join(archive_chunks(write_descriptor(guest), members))
    return ApplianceReader(ArchiveReader(io.BytesIO(archive)), most)


def read(reader: ApplianceReader) -> None:
    """Read an archive to its end."""
    assert reader.read_disks(lambda _disk, file: file.read(100)) == {"disk.vmdk": b"a disk"}


def test_files_are_kept_by_the_names_in_the_descriptor() -> None:
    reader = reader_of({"a b.nvram": b"first", "other": b"second", "third": b"third"})
    reader.keep("a%20b.nvram", 5)
    reader.keep("third", 100)
    assert reader.kept == {}
    read(reader)
    assert reader.kept == {"a%20b.nvram": b"first", "third": b"third"}
    assert (reader.ignored, reader.nvram) == (["other"], None)


def test_a_file_that_is_too_large_is_rejected() -> None:
    reader = reader_of({"a.nvram": b"123456"})
    reader.keep("a.nvram", 5)
    with pytest.raises(InvalidArguments, match=r"'a\.nvram' in the archive has more than 5 bytes"):
        read(reader)


def test_a_file_to_keep_may_be_missing_but_not_the_variables_that_are_imported() -> None:
    reader = reader_of({})
    reader.keep("a.nvram", 5)
    read(reader)
    assert reader.kept == {}
    with pytest.raises(InvalidArguments, match=r"lacks 'nvram\.fd', the UEFI variables in its descriptor"):
        read(reader_of({}, "nvram.fd", 5))


def test_variables_are_kept_if_they_are_imported() -> None:
    reader = reader_of({"nvram.fd": b"12345"}, "nvram.fd", 5)
    read(reader)
    assert (reader.nvram, reader.ignored) == (b"12345", [])
    reader = reader_of({"nvram.fd": b"12345"}, "nvram.fd")
    read(reader)
    assert (reader.nvram, reader.ignored) == (None, ["nvram.fd"])


def test_a_disk_is_not_kept() -> None:
    reader = reader_of({})
    reader.keep("disk.vmdk", 100)
    read(reader)
    assert reader.kept == {}
