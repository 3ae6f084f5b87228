"""What is on the disks: bytes that follow from a seed, so that only the seed is kept; or what was written."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

CHUNK_BYTES = 1024 * 1024


class Content(Struct, frozen=True):
    """The bytes on a disk: one chunk, again and again; or some that were written, and zeros."""

    seed: str
    length: int
    #: What was written, without the zeros at its end.
    written: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """Yield them."""
        if self.written is not None:
            for begin in range(0, self.length, CHUNK_BYTES):
                size = min(CHUNK_BYTES, self.length - begin)
                yield self.written[begin : begin + size].ljust(size, b"\0")
            return
        whole, rest = divmod(self.length, CHUNK_BYTES)
        for _ in range(whole):
            yield _chunk(self.seed)
        if rest:
            yield _chunk(self.seed)[:rest]


@lru_cache(maxsize=16)
def _chunk(seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(CHUNK_BYTES)
