"""The contents of disks: bytes that are derived from a seed, so only the seed is stored.

A content repeats one block of 256 KiB, SHAKE128 of the seed, up to its length.
"""

import functools
import hashlib
import uuid
from collections.abc import Iterator

from simplestack.mock.store.records import Content

_NAMESPACE = uuid.UUID("5f1c2f1e-0f0b-4c0e-9d3e-6d6f636b0001")
#: A block stays in a core's cache while it is sent or compared.
_BLOCK_BYTES = 256 * 1024


@functools.lru_cache(maxsize=16)
def _block(seed: str) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(_BLOCK_BYTES)


def content_chunks(content: Content) -> Iterator[bytes]:
    """Yield a content's bytes, a block at a time."""
    whole, rest = divmod(content.length, _BLOCK_BYTES)
    for _ in range(whole):
        yield _block(content.seed)
    if rest:
        yield _block(content.seed)[:rest]


def written_content(present: Content, length: int, size_bytes: int) -> Content:
    """Return the content of a disk after a guest has written to it: as long as before, at least `length`."""
    return Content(uuid.uuid4().hex, min(max(present.length, length), size_bytes))


def image_content(image: str, length: int, size_bytes: int) -> Content:
    """Return the content of an image: `length` bytes, or all if it has fewer."""
    return Content(uuid.uuid5(_NAMESPACE, image).hex, min(length, size_bytes))
