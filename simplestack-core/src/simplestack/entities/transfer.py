"""Streams of guest images, in and out."""

from collections.abc import Callable, Iterator
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


class WrappableStream:
    """The argument ``stream`` of an import, as service plugins get it: the client's bytes, not to be read.

    .. code-block:: python

        class Counted:
            def __init__(self, stream):
                self._stream = stream
                self.total_bytes = 0

            def read(self, size):
                piece = self._stream.read(size)
                self.total_bytes += len(piece)
                return piece

        if operation == "guest_import":
            arguments["stream"].wrap(Counted)
    """

    def __init__(self, source: ImportStream) -> None:
        #: What core reads from.
        self.source = source
        self._wrappers: list[Callable[[ImportStream], ImportStream]] = []

    def wrap(self, wrapper: Callable[[ImportStream], ImportStream]) -> None:
        """Let the hypervisor read from ``wrapper(stream)``, which reads from ``stream``.

        :param wrapper: called when the hook is about to run, after the ``yield`` of the service plugin, and
            once more where core calls the hook again with another session
        """
        self._wrappers.append(wrapper)

    def wrapped(self, stream: ImportStream) -> ImportStream:
        """Return a stream with all wrappers around it, the one that was added last outermost."""
        for wrapper in self._wrappers:
            stream = wrapper(stream)
        return stream


@dataclass(frozen=True)
class Export:
    """A guest's image on its way to the client.

    Everything that can be refused is refused before an Export is returned: by then the client has read a
    200. ``chunks`` is closed (``close()`` where it is a generator) when the client has gone away, too.
    """

    chunks: Iterator[bytes]
    #: Bytes in all, where that is known beforehand.
    size: int | None = None
