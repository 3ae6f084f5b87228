"""Archives, read as they arrive: pure functions, and whatever the bytes."""

import io
import os
import random
import tarfile

import pytest

from simplestack import MIB, InvalidArguments
from simplestack.appliances import BLOCK_BYTES, ArchiveReader, is_archive

CONTENT = {"a.ovf": b"<x/>", "a.mf": b"", "disk 1.vmdk": os.urandom(70_000), "last": bytes(512)}


def archive(
    files: dict[str, bytes] | None = None, tar_format: int = tarfile.USTAR_FORMAT, **fields: object
) -> bytes:
    """Make an archive.

    :param fields: of the headers
    """
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w", format=tar_format) as tar:
        for name, content in (CONTENT if files is None else files).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            tar.addfile(info, io.BytesIO(content))
    return output.getvalue()


def files_of(content: bytes) -> dict[str, bytes]:
    reader = ArchiveReader(io.BytesIO(content))
    files = {}
    while (member := reader.next()) is not None:
        files[member.name] = reader.read(member.size_bytes + 1)
        assert len(files[member.name]) == member.size_bytes
    assert reader.next() is None
    return files


@pytest.mark.parametrize("tar_format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_the_files_of_an_archive_are_read_in_their_order(tar_format: int) -> None:
    content = archive(tar_format=tar_format)
    assert is_archive(content[:BLOCK_BYTES])
    assert files_of(content) == CONTENT
    assert list(files_of(content)) == list(CONTENT)


@pytest.mark.parametrize("tar_format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_and_other_letters_are_read(tar_format: int) -> None:
    files = {"ä" * 100: b"1", "x" * 255: b"2", "./plain": b"3"}
    expected = {"ä" * 100: b"1", "x" * 255: b"2", "plain": b"3"}
    assert files_of(archive(files, tar_format)) == expected


def test_a_size_in_an_extended_header_counts() -> None:
    content = archive({"f": b"x" * 600}, tarfile.PAX_FORMAT, pax_headers={"size": "600", "comment": "no"})
    assert files_of(content) == {"f": b"x" * 600}


def test_what_is_not_read_is_skipped() -> None:
    reader = ArchiveReader(io.BytesIO(archive()))
    names = []
    while (member := reader.next()) is not None:
        names.append(member.name)
        reader.read(3)
    assert names == list(CONTENT)


def test_a_file_that_is_returned_is_found_again() -> None:
    reader = ArchiveReader(io.BytesIO(archive()))
    reader.next()
    second = reader.next()
    assert second is not None
    reader.return_member(second)
    assert reader.read(10) == b""
    assert reader.next() is second
    third = reader.next()
    assert third is not None
    reader.return_member(third)
    assert reader.next() is third
    assert reader.read(10**6) == CONTENT["disk 1.vmdk"]


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        (tarfile.SYMTYPE, "a link"),
        (tarfile.LNKTYPE, "a link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
        (tarfile.DIRTYPE, "a folder"),
        (tarfile.CONTTYPE, "unknown kind"),
        (b"Z", "unknown kind"),
    ],
)
def test_anything_but_a_file_is_rejected(kind: bytes, what: str) -> None:
    with pytest.raises(InvalidArguments, match=what):
        files_of(archive({"x": b""}, type=kind, linkname="/etc/shadow"))


def test_sparse_files_are_rejected() -> None:
    with pytest.raises(InvalidArguments, match="a sparse file"):
        files_of(archive({"x": b""}, pax_headers={"GNU.sparse.major": "1"}, tar_format=tarfile.PAX_FORMAT))
    block = bytearray(archive({"x": b""}, tarfile.GNU_FORMAT))
    block[156:157] = tarfile.GNUTYPE_SPARSE
    with pytest.raises(InvalidArguments, match="a sparse file"):
        files_of(summed(block))


def summed(content: bytearray) -> bytes:
    """Return an archive whose first header was changed, with the sum that it has then."""
    content[148:156] = b" " * 8
    content[148:156] = b"%06o\0 " % sum(content[:512])
    return bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/passwd",
        "a/b",
        "..",
        ".",
        "./",
        "./../x",
        "a\\b",
        "a\nb",
        "a\x1bb",
        "\u202ea",
        "\ufffea",
        "x" * 256,
    ],
)
def test_names_that_are_paths_or_cannot_be_printed_are_rejected(name: str) -> None:
    with pytest.raises(InvalidArguments, match="put plain files into it"):
        files_of(archive({name: b""}, tarfile.PAX_FORMAT))


def test_a_name_that_is_there_twice_is_rejected() -> None:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for name in ("a", "./a"):
            tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(InvalidArguments, match="twice"):
        files_of(output.getvalue())


def test_very_many_files_are_rejected() -> None:
    files = {f"{number}": b"" for number in range(10_001)}
    with pytest.raises(InvalidArguments, match="more than 10000 files"):
        files_of(archive(files))


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME])
def test_an_extended_header_of_any_length_is_not_kept(kind: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 2**33

    class Endless:
        read_bytes = 0

        def read(self, size: int, /) -> bytes:
            self.read_bytes += size
            return info.tobuf(tarfile.GNU_FORMAT)[:size] if self.read_bytes <= BLOCK_BYTES else b"x" * size

    source = Endless()
    with pytest.raises(InvalidArguments, match="header of more than"):
        ArchiveReader(source).next()
    assert source.read_bytes == BLOCK_BYTES


@pytest.mark.parametrize(
    "fields", [b"", b"5 a=b\n", b"99 a=b\n", b"x", b"6 a=b\n6 a=b", b"3 \n", b"10 size=-5\n"]
)
def test_a_broken_extended_header_is_rejected(fields: bytes) -> None:
    info = tarfile.TarInfo("x")
    info.type, info.size = tarfile.XHDTYPE, len(fields)
    content = info.tobuf() + fields.ljust(512, b"\0") if fields else info.tobuf()
    with pytest.raises(InvalidArguments):
        files_of(content + archive({"y": b""})[:512])


def test_sizes_that_lie_are_noticed_at_the_next_header() -> None:
    for size in (100, 70_001, 10**12, -1):
        content = bytearray(archive({"first": CONTENT["disk 1.vmdk"], "second": b"x"}))
        info = tarfile.TarInfo("first")
        info.size = size
        content[:512] = info.tobuf(tarfile.GNU_FORMAT)
        if size in (100, 70_001):
            content[512:1024] = b"\1" * 512
            content[1024:1536] = b"\1" * 512
        with pytest.raises(InvalidArguments, match="archive"):
            files_of(bytes(content) if size != 70_001 else bytes(content[: 512 + 70_001]))


def test_an_archive_that_ends_too_early_is_rejected_wherever_it_ends() -> None:
    content = archive({"a": b"1" * 100, "b": b"2" * 600})
    end = 512 * (2 + 3) + 1024
    assert not content[end - 1024 :].strip(b"\0")
    for length in range(0, end, 37):
        with pytest.raises(InvalidArguments, match="ends too early"):
            files_of(content[:length])
    assert files_of(content[:end]) == files_of(content)


def test_something_after_the_end_is_rejected() -> None:
    content = archive()
    for more in (b"x", archive(), bytes(2 * MIB)):
        with pytest.raises(InvalidArguments, match="something follows its end"):
            files_of(content + more)


def test_no_bytes_are_an_unexpected_error() -> None:
    randomly = random.Random(16)  # noqa: S311  no secret
    content = archive(tar_format=tarfile.PAX_FORMAT, pax_headers={"comment": "ü"})
    for _ in range(3000):
        changed = bytearray(content)
        for _ in range(randomly.randrange(1, 4)):
            changed[randomly.randrange(2048)] = randomly.randrange(256)
        try:
            files_of(summed(changed) if randomly.random() < 0.5 else bytes(changed))
        except InvalidArguments:
            continue


def test_headers_without_files_have_an_end() -> None:
    info = tarfile.TarInfo("comment")
    info.type = tarfile.XGLTYPE
    block = info.tobuf(tarfile.USTAR_FORMAT)
    assert files_of(block * 30_000 + archive({})) == {}
    with pytest.raises(InvalidArguments, match="more than 30000 headers"):
        files_of(block * 30_001 + archive({}))
