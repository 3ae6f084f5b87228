"""A client's connection. Either the main loop or a thread has it."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.workers.gthread import TConn

from simplestack.server.arrival import Arrival
from simplestack.server.client_socket import ClientSocket


class Stage(Enum):
    """What the main loop waits for on a connection."""

    HANDSHAKE = auto()
    #: The first byte of a request.
    IDLE = auto()
    #: The rest of a request.
    ARRIVING = auto()
    #: The client reads a response.
    SENDING = auto()
    #: The client closes its side of the connection.
    CLOSING = auto()


class Connection(TConn):
    """A connection of gunicorn, with its state in the main loop."""

    sock: ClientSocket  # type: ignore[assignment]  # it has all that gunicorn calls
    parser: RequestParser

    def __init__(self, cfg: Config, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)  # type: ignore[arg-type]  # as above
        self.parser = RequestParser(cfg, sock, client)  # type: ignore[arg-type]  # as above
        self.initialized = True
        self.arrival = Arrival()
        #: Whether ``100 Continue`` was sent.
        self.has_continued = False
        #: Whether to keep the connection after the response.
        self.is_kept = True
        #: Whether the client may still be sending a rejected body.
        self.has_body_left = False
        #: Whether to end the connection with a reset, which tells the client that the response is not
        #: complete.
        self.must_reset = False
        self.stage = Stage.IDLE
        self.since_seconds = 0.0
        self.deadline_seconds = 0.0
        #: For the minimum rate: bytes received or sent in the current window.
        self.window_bytes = 0
        #: Events that the main loop waits for; 0 while a thread has the connection.
        self.watched = 0
        #: Callback of the main loop for these events.
        self.on_event: Callable[[object], None] | None = None

    def expect_request(self) -> None:
        """Prepare for the next request, which may already have been read together with the last one."""
        self.arrival = Arrival()
        self.has_continued = False
        self.sock.arrived[:0] = self.parser.unreader.take_buffered()

    def has_request(self) -> bool:
        """Return whether enough of a request has arrived to give it to a thread.

        :raises HeadTooLarge: the header is too long
        """
        arrived = self.sock.arrived
        return bool(arrived) and self.arrival.is_enough(arrived)
