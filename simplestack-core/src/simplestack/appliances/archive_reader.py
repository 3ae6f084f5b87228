"""Walk through a tar archive that a client sends, once, without keeping more of it than a piece.

Python's own reader keeps extended headers in memory, however long they say that they are, and searches for
missing ends. Its parser of headers is used here.
"""

import re
import tarfile
from collections.abc import Callable
from dataclasses import dataclass

from simplestack.appliances.digests import RunningDigests
from simplestack.appliances.incoming import Source
from simplestack.appliances.members import MAX_NAME_BYTES
from simplestack.entities.limits import MIB
from simplestack.entities.transfer import CHUNK_BYTES
from simplestack.errors import InvalidArguments

BLOCK_BYTES = 512
#: Where a tar archive has its mark.
_MARK_OFFSET, _MARK = 257, b"ustar"
_END = bytes(BLOCK_BYTES)
#: Programs fill up the last record.
_MAX_PADDING_BYTES = MIB
_MAX_EXTENSION_BYTES = 64 * 1024
#: A file may be split into this many parts, or more files be added that are not imported.
MAX_MEMBERS = 10_000
#: A file has at most a header of its own, one with its long name and one with its size.
_MAX_HEADERS = 3 * MAX_MEMBERS
_REGULAR = (tarfile.REGTYPE, tarfile.AREGTYPE)
_KINDS = {
    tarfile.LNKTYPE: "a link",
    tarfile.SYMTYPE: "a link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_PAX_LENGTH = re.compile(rb"([0-9]{1,6}) ")
_PAX_SIZE = re.compile(r"[0-9]{1,19}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveMember:
    """A file of the archive."""

    name: str
    size_bytes: int


def is_archive(start: bytes) -> bool:
    """Tell whether a file is a tar archive, by the first `BLOCK_BYTES` of it."""
    return start[_MARK_OFFSET : _MARK_OFFSET + len(_MARK)] == _MARK


class ArchiveReader:
    """Yields the files of an archive one after the other. Reading reads the present one."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._digests: RunningDigests | None = None
        self._names: set[str] = set()
        self._headers = 0
        self._left_bytes = 0
        self._padding_bytes = 0
        self._returned: ArchiveMember | None = None
        self._is_over = False
        #: Called with each new member; returns what computes its digests.
        self.digests_of: Callable[[str], RunningDigests | None] = lambda _name: None

    def next(self) -> ArchiveMember | None:
        """Go on to the next file; None at the end of the archive. What is left of the present one is skipped.

        :raises InvalidArguments: the archive is damaged or ends too early, or has something else than files
        """
        returned, self._returned = self._returned, None
        if returned is not None:
            return returned
        if self._is_over:
            return None
        while self.read(CHUNK_BYTES):
            pass
        member = self._next_header()
        if member is None:
            self._read_end()
            self._is_over = True
            return None
        if member.name in self._names:
            raise InvalidArguments(f"the archive has {member.name!r} twice")
        self._names.add(member.name)
        if len(self._names) > MAX_MEMBERS:
            raise InvalidArguments(f"the archive has more than {MAX_MEMBERS} files")
        self._digests = self.digests_of(member.name)
        return member

    def return_member(self, member: ArchiveMember) -> None:
        """Let the next look find a file once more of which nothing has been read."""
        self._returned = member

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes of the present file: fewer only at its end, and ``b""`` after it.

        :raises InvalidArguments: the archive ends too early
        """
        if self._returned is not None:
            return b""
        wanted = min(size, self._left_bytes)
        piece = self._exactly(wanted) if wanted else b""
        self._left_bytes -= wanted
        if self._digests is not None and piece:
            self._digests.update(piece)
        if not self._left_bytes and self._padding_bytes:
            self._exactly(self._padding_bytes)
            self._padding_bytes = 0
        return piece

    def _next_header(self) -> ArchiveMember | None:
        """Return the file that the next headers describe. Long names and sizes have headers of their own."""
        name: str | None = None
        size_bytes: int | None = None
        while True:
            block = self._exactly(BLOCK_BYTES)
            if block == _END:
                return None
            self._headers += 1
            if self._headers > _MAX_HEADERS:
                raise InvalidArguments(f"the archive has more than {_MAX_HEADERS} headers")
            info = _parsed(block)
            if info.type == tarfile.XHDTYPE:
                fields = _pax_fields(self._extension(info))
                name = fields.get("path", name)
                size_bytes = _pax_size(fields["size"]) if "size" in fields else size_bytes
            elif info.type == tarfile.GNUTYPE_LONGNAME:
                name = self._extension(info).rstrip(b"\0").decode(errors="surrogateescape")
            elif info.type == tarfile.XGLTYPE:
                self._extension(info)  # about all files, such as a comment
            else:
                break
        name = _checked_name(info.name if name is None else name)
        if info.type not in _REGULAR:
            what = _KINDS.get(info.type, f"of an unknown kind ({info.type!r})")
            raise InvalidArguments(f"the archive has {name!r}, which is {what}: put only plain files into it")
        self._left_bytes = info.size if size_bytes is None else size_bytes
        self._padding_bytes = -self._left_bytes % BLOCK_BYTES
        return ArchiveMember(name=name, size_bytes=self._left_bytes)

    def _extension(self, info: tarfile.TarInfo) -> bytes:
        if info.size > _MAX_EXTENSION_BYTES:
            raise InvalidArguments(f"the archive has a header of more than {_MAX_EXTENSION_BYTES} bytes")
        content = self._exactly(info.size)
        self._exactly(-info.size % BLOCK_BYTES)
        return content

    def _read_end(self) -> None:
        """Read the second block of the end, and what fills up the archive."""
        if self._exactly(BLOCK_BYTES) != _END:
            raise InvalidArguments("the archive is damaged: something follows its end")
        left_bytes = _MAX_PADDING_BYTES
        while piece := self._source.read(CHUNK_BYTES):
            left_bytes -= len(piece)
            if left_bytes < 0 or piece.strip(b"\0"):
                raise InvalidArguments("the archive is damaged: something follows its end")

    def _exactly(self, size: int) -> bytes:
        piece = self._source.read(size) if size else b""
        if len(piece) < size:
            raise InvalidArguments("the archive ends too early: send all of it")
        return piece


def _parsed(block: bytes) -> tarfile.TarInfo:
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        raise InvalidArguments("the archive is damaged: a header is not one of a tar archive") from None
    if info.size < 0:
        raise InvalidArguments(f"the archive is damaged: {info.name[:80]!r} has a negative size")
    return info


def _checked_name(name: str) -> str:
    """Return a name without the ``./`` that some programs write.

    :raises InvalidArguments: it is a path, or no name at all
    """
    plain = name.removeprefix("./")
    if (
        plain in ("", ".", "..")
        or "/" in plain
        or "\\" in plain
        or not plain.isprintable()
        or len(plain.encode(errors="replace")) > MAX_NAME_BYTES
    ):
        raise InvalidArguments(
            f"the archive has {name[:80]!r}: put plain files into it, without folders and control characters"
        )
    return plain


def _pax_fields(content: bytes) -> dict[str, str]:
    """Read an extended header: ``LENGTH KEY=VALUE`` and a line break, several times (POSIX.1-2001, pax)."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(content):
        length = _PAX_LENGTH.match(content, position)
        record = b"" if length is None else content[position : position + int(length[1])]
        if length is None or not record.endswith(b"\n") or length.end() - position >= len(record):
            raise InvalidArguments("the archive is damaged: an extended header cannot be read")
        key, _, value = record[length.end() - position : -1].partition(b"=")
        if key.startswith(b"GNU.sparse."):
            raise InvalidArguments("the archive has a sparse file: put only plain files into it")
        fields[key.decode(errors="replace")] = value.decode(errors="surrogateescape")
        position += len(record)
    return fields


def _pax_size(text: str) -> int:
    if not _PAX_SIZE.fullmatch(text):
        raise InvalidArguments(f"the archive is damaged: {text[:80]!r} is not the size of a file")
    return int(text)
