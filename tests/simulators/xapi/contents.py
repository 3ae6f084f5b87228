"""What is on the disks: bytes that follow from a seed, so that only the seed is kept."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache

from msgspec import Struct

CHUNK_BYTES = 1024 * 1024


class Content(Struct, frozen=True):
    """The bytes on a disk: one chunk, again and again."""

    seed: str
    length: int

    def chunks(self) -> Iterator[bytes]:
        """Yield them."""
        whole, rest = divmod(self.length, CHUNK_BYTES)
        for _ in range(whole):
            yield _chunk(self.seed)
        if rest:
            yield _chunk(self.seed)[:rest]


@lru_cache(maxsize=16)
def _chunk(seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(CHUNK_BYTES)
