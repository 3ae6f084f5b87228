"""Streams of guest images, in and out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

#: Chunks of this size keep the cost per byte low (1 MiB is where throughput levels off) and memory constant.
CHUNK_BYTES = 1024 * 1024


class ImportStream(Protocol):
    """The client's bytes. Reading blocks until the client has sent them."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end, ``b""`` after it.

        :raises InvalidArguments: the client went away or sent fewer bytes than it had announced
        :raises RequestTimeout: the client sends too slowly
        :raises ServiceBusy: the client is slow, and so are too many others
        :raises HypervisorTimeout: the call was abandoned: its time limit had passed before this read
        """
        ...


@dataclass(frozen=True)
class Export:
    """A guest's image on its way to the client.

    Everything that can be refused is refused before an Export is returned: by then the client has read a
    200. ``chunks`` is closed (``close()`` where it is a generator) when the client has gone away, too.
    """

    chunks: Iterator[bytes]
    #: Bytes in all, where that is known beforehand.
    size: int | None = None
