"""Manifests of archives and compressed bodies: pure functions."""

import gzip
import hashlib
import io
import os
import zlib

import pytest

from simplestack import MIB, InsufficientStorage, InvalidArguments
from simplestack.appliances import Announced, Incoming, Inflated, Manifest


def digest(algorithm: str, name: str, content: bytes) -> str:
    return f"{algorithm}({name})= {hashlib.new(algorithm.replace('-', ''), content).hexdigest()}\n"


def manifest_of(document: str, files: dict[str, bytes], *, after: bool, is_own: bool = False) -> None:
    """Check a manifest that comes before or after the files."""
    manifest = Manifest("a.ovf", b"<x/>", is_own=is_own)
    if not after:
        manifest.set(document.encode())
    for name, content in files.items():
        running = manifest.digests_of(name)
        if running is not None:
            running.update(content[:10])
            running.update(content[10:])
    if after:
        manifest.set(document.encode())
    manifest.check()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "sha256", "SHA-256"])
def test_a_manifest_is_compared_with_the_files(algorithm: str, after: bool) -> None:
    disk = os.urandom(100)
    good = digest(algorithm, "a.ovf", b"<x/>") + digest(algorithm, "d (1)", disk).replace("= ", " = ")
    manifest_of(good.replace("\n", "\r\n"), {"d (1)": disk, "more": b""}, after=after)
    for wrong in (
        {"d (1)": disk + b"x"},
        {"d (1)": b""},
        {},
    ):
        with pytest.raises(InvalidArguments, match=r"d \(1\)"):
            manifest_of(good, wrong, after=after)
    with pytest.raises(InvalidArguments, match=r"a\.ovf"):
        manifest_of(digest(algorithm, "a.ovf", b"<y/>"), {}, after=after)


def test_digests_that_were_not_computed_are_rejected() -> None:
    text = digest("SHA512", "d", b"1")
    manifest_of(text, {"d": b"1"}, after=False)
    with pytest.raises(InvalidArguments, match="put the manifest directly after the descriptor"):
        manifest_of(text, {"d": b"1"}, after=True)


def test_own_exports_have_digests_of_one_kind() -> None:
    files = {"d": b"1"}
    manifest_of(digest("SHA256", "d", b"1"), files, after=True, is_own=True)
    with pytest.raises(InvalidArguments, match="put the manifest directly after the descriptor"):
        manifest_of(digest("SHA1", "d", b"1"), files, after=True, is_own=True)
    manifest_of(digest("SHA1", "d", b"1"), files, after=False, is_own=True)


@pytest.mark.parametrize(
    "text",
    [
        "x",
        "MD5(a)= 00",
        "SHA256 a= 00",
        "SHA1(a)= zz",
        "\0",
        "SHA1()= 00",
        "\N{LATIN SMALL LETTER LONG S}HA1(a)= 00",
    ],
)
def test_a_manifest_that_cannot_be_read_is_rejected(text: str) -> None:
    with pytest.raises(InvalidArguments, match="no digest"):
        Manifest("a.ovf", b"", is_own=False).set(text.encode())


def test_a_file_has_one_digest_and_an_archive_one_manifest() -> None:
    with pytest.raises(InvalidArguments, match="twice"):
        Manifest("a.ovf", b"", is_own=False).set(
            (digest("SHA1", "a", b"") + digest("SHA256", "a", b"")).encode()
        )
    manifest = Manifest("a.ovf", b"", is_own=False)
    manifest.set(b"")
    with pytest.raises(InvalidArguments, match="two manifests"):
        manifest.set(b"")


def inflated(content: bytes, most_bytes: int = 10 * MIB, piece_bytes: int = 1000) -> bytes:
    source = Inflated(io.BytesIO(content), most_bytes)
    whole = bytearray()
    while piece := source.read(piece_bytes):
        whole += piece
        assert len(piece) <= piece_bytes
    return bytes(whole)


@pytest.mark.parametrize("piece_bytes", [1, 511, 65_536, 10 * MIB])
def test_a_compressed_body_is_decompressed(piece_bytes: int) -> None:
    content = os.urandom(3000) + bytes(3000)
    assert inflated(gzip.compress(content), piece_bytes=piece_bytes) == content
    assert inflated(gzip.compress(content) * 2 + bytes(100), piece_bytes=piece_bytes) == content * 2


def test_a_compressed_body_that_is_damaged_or_ends_too_early_is_rejected() -> None:
    content = gzip.compress(os.urandom(3000))
    for damaged in (
        content[:-1],
        content[:20],
        content[:-8] + bytes(8),
        content + b"x",
        b"\x1f\x8b\x08",
        b"\x1f\x8bxx",
    ):
        with pytest.raises(InvalidArguments, match="compressed image"):
            inflated(damaged)


def test_a_body_that_grows_is_read_in_pieces_and_no_further_than_there_is_room() -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = packer.compress(bytes(200 * MIB)) + packer.flush()
    assert len(bomb) < MIB
    source = Inflated(io.BytesIO(bomb), 5 * MIB)
    for _ in range(5):
        assert len(source.read(MIB)) == MIB
    with pytest.raises(InsufficientStorage):
        source.read(MIB)


def test_few_empty_parts_are_skipped_and_many_are_rejected() -> None:
    empty, end = gzip.compress(b""), gzip.compress(b"end")
    assert Inflated(io.BytesIO(empty * 1000 + end), MIB).read(100) == b"end"
    with pytest.raises(InvalidArguments, match="more than 1000 empty parts"):
        Inflated(io.BytesIO(empty * 1001 + end), MIB).read(100)


def test_a_body_can_be_looked_at_before_it_is_read() -> None:
    body = Incoming(io.BytesIO(b"0123456789"))
    assert (body.peek(4), body.peek(2), body.peek(20)) == (b"0123", b"01", b"0123456789")
    assert (body.read(3), body.peek(2), body.read(20), body.read(1)) == (b"012", b"34", b"3456789", b"")


def test_a_body_has_the_length_that_was_announced() -> None:
    assert Announced(io.BytesIO(b"0123456789"), 4, "it").read(10) == b"0123"
    short = Announced(io.BytesIO(b"0123"), 5, "the body")
    with pytest.raises(InvalidArguments, match="the body ends after 4 of 5 bytes"):
        short.read(10)
