"""Decompress what a client sends: in pieces, and no more than there is room for."""

import zlib

from simplestack.appliances.incoming import Source
from simplestack.errors import InsufficientStorage, InvalidArguments

_PIECE_BYTES = 64 * 1024
GZIP_MARK = b"\x1f\x8b"
#: Programs write parts of content, and one without at the end.
_MAX_EMPTY_PARTS = 1000
#: With the header and the trailer of gzip.
_GZIP = 16 + zlib.MAX_WBITS


class Inflated:
    """The content of a gzip file."""

    def __init__(self, source: Source, most_bytes: int) -> None:
        """Decompress a source.

        :param most_bytes: how much its content may be
        """
        self._source = source
        self._most_bytes = most_bytes
        self._inflated_bytes = 0
        self._inflater = zlib.decompressobj(_GZIP)
        self._input = b""
        self._is_part_empty = True
        self._empty_parts = 0
        self._is_over = False

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end, and ``b""`` after it.

        :raises InvalidArguments: the file is damaged or ends too early
        :raises InsufficientStorage: the content is larger than it may be
        """
        pieces = []
        missing = size
        while missing and not self._is_over:
            piece = self._inflate(missing)
            if piece:  # a body may have very many empty parts
                pieces.append(piece)
            missing -= len(piece)
        self._inflated_bytes += size - missing
        if self._inflated_bytes > self._most_bytes:
            raise InsufficientStorage(
                f"the decompressed image has more than the {self._most_bytes} bytes that the storage has left"
            )
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _inflate(self, size: int) -> bytes:
        if self._inflater.eof and not self._start_next_part():
            return b""
        if not self._input:
            self._input = self._source.read(_PIECE_BYTES)
        is_end = not self._input
        try:
            piece = self._inflater.decompress(self._input, size)
        except zlib.error:
            raise InvalidArguments("the compressed image is damaged: gzip cannot read it") from None
        self._input = self._inflater.unconsumed_tail
        if piece:
            self._is_part_empty = False
        if is_end and not piece and not self._inflater.eof:
            raise InvalidArguments("the compressed image ends too early: send all of it")
        return piece

    def _start_next_part(self) -> bool:
        """Go on with the next part, if there is one: some programs compress in parts."""
        self._empty_parts += self._is_part_empty
        if self._empty_parts > _MAX_EMPTY_PARTS:
            raise InvalidArguments(f"the compressed image has more than {_MAX_EMPTY_PARTS} empty parts")
        self._is_part_empty = True
        self._input = self._inflater.unused_data or self._source.read(_PIECE_BYTES)
        while self._input and not self._input.strip(b"\0"):  # padding
            self._input = self._source.read(_PIECE_BYTES)
        if not self._input:
            self._is_over = True
            return False
        self._inflater = zlib.decompressobj(_GZIP)
        return True
