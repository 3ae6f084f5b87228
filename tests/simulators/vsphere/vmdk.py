"""Stream-optimized VMDK files: what NFC leases send and take."""

import itertools
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

#: Of the pieces in which a disk is kept, in bytes.
GRAIN_BYTES = 64 * 1024
_SECTOR = 512
_GRAIN = GRAIN_BYTES // _SECTOR
_ENTRIES = 512
#: In front of the grains, in sectors.
_OVERHEAD = 128
_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH433x")
_MARKER = struct.Struct("<QII496x")
_GRAIN_MARKER = struct.Struct("<QI")
_AT_END = 2**64 - 1
_FLAGS = 0x30001
_COMPRESSED = 1 << 16
_MARKERS = 1 << 17
_END, _TABLE, _DIRECTORY, _FOOTER = range(4)


class BadDiskError(Exception):
    """What was sent is no stream-optimized VMDK, or only a part of one."""


class Content(NamedTuple):
    """What a VMDK has."""

    capacity_bytes: int
    #: Pieces of `GRAIN_BYTES`, each compressed, by number; what is not there is zeros.
    grains: dict[int, bytes]


def write(capacity_bytes: int, grains: Mapping[int, bytes]) -> Iterator[bytes]:
    """Yield the pieces of a VMDK.

    :param grains: pieces of `GRAIN_BYTES`, each compressed, by number
    """
    sectors = -(-capacity_bytes // _SECTOR)
    head = _header(sectors, _AT_END).ljust(_SECTOR, b"\0") + _descriptor(sectors)
    yield head.ljust(_OVERHEAD * _SECTOR, b"\0")
    position = _OVERHEAD
    directory = [0] * -(-sectors // (_GRAIN * _ENTRIES))
    for number, group in itertools.groupby(sorted(grains), lambda each: each // _ENTRIES):
        table = [0] * _ENTRIES
        for grain in group:
            table[grain % _ENTRIES] = position
            data = grains[grain]
            piece = _padded(_GRAIN_MARKER.pack(grain * _GRAIN, len(data)) + data)
            yield piece
            position += len(piece) // _SECTOR
        directory[number] = position + 1
        piece = _metadata(_TABLE, struct.pack(f"<{_ENTRIES}I", *table))
        yield piece
        position += len(piece) // _SECTOR
    yield _metadata(_DIRECTORY, struct.pack(f"<{len(directory)}I", *directory))
    yield _metadata(_FOOTER, _header(sectors, position + 1))
    yield _MARKER.pack(0, 0, _END)


def read(source: Callable[[int], bytes]) -> Content:
    """Read a VMDK.

    :param source: returns so many bytes; fewer at the end only
    :raises BadDiskError: it is none, or not all of one
    """
    header = _exactly(source, _SECTOR)
    magic, _, flags, sectors, grain, _, _, _, _, directory, overhead, _, _, algorithm = _HEADER.unpack(header)
    if magic != b"KDMV" or algorithm != 1 or not flags & _COMPRESSED or not flags & _MARKERS:
        raise BadDiskError("it is no stream-optimized VMDK")
    if grain != _GRAIN:
        raise BadDiskError(f"its grains have {grain} sectors, not {_GRAIN}")
    _skip(source, overhead - 1)
    grains: dict[int, bytes] = {}
    while True:
        marker = source(_SECTOR)
        if not marker and directory != _AT_END:  # QEMU's have no end
            return Content(sectors * _SECTOR, grains)
        if len(marker) != _SECTOR:
            raise BadDiskError("its end is missing")
        value, size, kind = _MARKER.unpack(marker)
        if size:
            grains[_grain_number(value, sectors)] = _read_grain(source, marker, size)
        elif kind == _END:
            return Content(sectors * _SECTOR, grains)
        else:
            _skip(source, value)


def _grain_number(sector: int, sectors: int) -> int:
    if sector % _GRAIN or sector >= sectors:
        raise BadDiskError(f"it has no grain at sector {sector}")
    return sector // _GRAIN


def _read_grain(source: Callable[[int], bytes], marker: bytes, size: int) -> bytes:
    if size > 2 * GRAIN_BYTES:
        raise BadDiskError(f"a grain has {size} bytes")
    begin = _GRAIN_MARKER.size
    rest = max(0, begin + size - _SECTOR)
    data = (marker[begin:] + _exactly(source, -(-rest // _SECTOR) * _SECTOR))[:size]
    unpacker = zlib.decompressobj()
    try:
        length = len(unpacker.decompress(data, GRAIN_BYTES + 1))
    except zlib.error as error:
        raise BadDiskError(f"a grain: {error}") from error
    if not unpacker.eof or length > GRAIN_BYTES:
        raise BadDiskError("a grain has another size")
    return data


def _exactly(source: Callable[[int], bytes], size: int) -> bytes:
    found = source(size) if size else b""
    if len(found) != size:
        raise BadDiskError("its end is missing")
    return found


def _skip(source: Callable[[int], bytes], sectors: int) -> None:
    while sectors > 0:
        count = min(sectors, _GRAIN)
        _exactly(source, count * _SECTOR)
        sectors -= count


def _header(sectors: int, directory: int) -> bytes:
    return _HEADER.pack(
        *(b"KDMV", 3, _FLAGS, sectors, _GRAIN, 1, 20, _ENTRIES),
        *(0, directory, _OVERHEAD, 0, b"\n \r\n", 1),
    )


def _descriptor(sectors: int) -> bytes:
    return (
        '# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\ncreateType="streamOptimized"\n\n'
        f'# Extent description\nRDONLY {sectors} SPARSE "disk.vmdk"\n\n'
        '# The Disk Data Base\n#DDB\n\nddb.virtualHWVersion = "21"\nddb.adapterType = "lsilogic"\n'
        f'ddb.geometry.cylinders = "{min(sectors // 16_065, 65_535)}"\n'
        'ddb.geometry.heads = "255"\nddb.geometry.sectors = "63"\n'
    ).encode()


def _metadata(kind: int, data: bytes) -> bytes:
    padded = _padded(data)
    return _MARKER.pack(len(padded) // _SECTOR, 0, kind) + padded


def _padded(data: bytes) -> bytes:
    return data.ljust(-(-len(data) // _SECTOR) * _SECTOR, b"\0")
