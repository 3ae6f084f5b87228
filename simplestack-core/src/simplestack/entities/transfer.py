"""Streams of guest images: imports and exports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

#: Chunks of this size keep the cost per byte low (1 MiB is where throughput levels off) and memory constant.
CHUNK_BYTES = 1024 * 1024


class ImportStream(Protocol):
    """The image that a client uploads. Reading blocks until the client has sent the bytes."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes: fewer only at the end of the image, and ``b""`` after it.

        :raises InvalidArguments: the client disconnected or sent fewer bytes than it had announced
        :raises RequestTimeout: the client sends too slowly
        :raises ServiceBusy: the client is slow, and the service already serves its maximum number of slow
            clients
        :raises HypervisorTimeout: the call has exceeded its time limit and was abandoned
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
    """A guest's image for the client.

    Check everything before you return an Export: after that, the client has status 200. Core closes
    ``chunks`` (``close()`` if it is a generator) also when the client disconnects.
    """

    chunks: Iterator[bytes]
    #: Size in bytes; None if it is not known in advance.
    size: int | None = None
