"""The responses that the main loop sends, and the memory that they use."""

from simplestack.server.connection import Connection

#: Enough for many lists of 10,000 guests (3 MB each), and less than a worker uses otherwise.
_MOST_BYTES = 64 * 1024 * 1024


class UnreadResponses:
    """Connections with a response that the client has not read completely, oldest first."""

    def __init__(self) -> None:
        self._sizes: dict[Connection, int] = {}
        self._bytes = 0

    def add(self, conn: Connection) -> None:
        """Add the connection's response."""
        # A slice of a response keeps all of it in memory.
        self._sizes[conn] = size = memoryview(conn.sock.unsent.obj).nbytes
        self._bytes += size

    def remove(self, conn: Connection) -> None:
        """Remove the connection's response."""
        self._bytes -= self._sizes.pop(conn, 0)

    @property
    def one_too_many(self) -> Connection | None:
        """The oldest connection, if the responses use too much memory. One response may have any size."""
        is_too_much = self._bytes > _MOST_BYTES and len(self._sizes) > 1
        return next(iter(self._sizes)) if is_too_much else None

    def request_ids(self) -> list[str]:
        """Return the IDs of the requests."""
        return [conn.sock.request_id for conn in self._sizes]
