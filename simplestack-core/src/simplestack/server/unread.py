"""The responses that the main loop of a worker sends, and the memory that they hold."""

from simplestack.server.connection import Connection

#: More than many lists of 10,000 guests (3 MB) at once, and less than what a worker needs besides.
_MOST_BYTES = 64 * 1024 * 1024


class UnreadResponses:
    """Connections whose clients have not read all of a response, the oldest first."""

    def __init__(self) -> None:
        self._sizes: dict[Connection, int] = {}
        self._bytes = 0

    def add(self, conn: Connection) -> None:
        """Count the response that a thread has left."""
        # A part of a response keeps all of it in memory.
        self._sizes[conn] = size = memoryview(conn.sock.unsent.obj).nbytes
        self._bytes += size

    def remove(self, conn: Connection) -> None:
        """Do not count it any more."""
        self._bytes -= self._sizes.pop(conn, 0)

    @property
    def one_too_many(self) -> Connection | None:
        """The oldest, while they hold too much. A single response may have any size."""
        is_too_much = self._bytes > _MOST_BYTES and len(self._sizes) > 1
        return next(iter(self._sizes)) if is_too_much else None

    def request_ids(self) -> list[str]:
        """Return the ids of their requests."""
        return [conn.sock.request_id for conn in self._sizes]
