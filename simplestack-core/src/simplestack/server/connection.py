"""A client's connection, which the main loop and the threads hand to each other."""

from collections.abc import Callable
from enum import Enum, auto
from typing import Any

from gunicorn.config import Config
from gunicorn.http import RequestParser
from gunicorn.workers.gthread import TConn

from simplestack.server.arrival import Arrival
from simplestack.server.client_socket import ClientSocket


class Stage(Enum):
    """What the main loop waits for, at a connection that no thread has."""

    HANDSHAKE = auto()
    #: The first byte of a request.
    IDLE = auto()
    #: The rest of a request.
    ARRIVING = auto()
    #: The client takes a response.
    SENDING = auto()
    #: The client closes its side, too.
    CLOSING = auto()


class Connection(TConn):
    """What gunicorn needs to know of a connection, and where it stands in the main loop."""

    sock: ClientSocket  # type: ignore[assignment]  # it has all that gunicorn calls
    parser: RequestParser

    def __init__(self, cfg: Config, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)  # type: ignore[arg-type]  # as above
        self.parser = RequestParser(cfg, sock, client)  # type: ignore[arg-type]  # as above
        self.initialized = True
        self.arrival = Arrival()
        #: Whether the client has been told to send the body of its request.
        self.has_continued = False
        #: Whether the next request may come on it, once the response is sent.
        self.is_kept = True
        #: Whether its client may be sending the rest of a body that nobody reads.
        self.has_body_left = False
        #: Whether a reset ends it: nothing less tells the client that the response is not complete.
        self.must_reset = False
        self.stage = Stage.IDLE
        self.since_seconds = 0.0
        self.deadline_seconds = 0.0
        #: For the least rate: what has come or gone since the stage's window began.
        self.window_bytes = 0
        #: The events that the main loop waits for; 0 while a thread has it.
        self.watched = 0
        #: What the main loop calls when it happens.
        self.on_event: Callable[[object], None] | None = None

    def expect_request(self) -> None:
        """Begin with the next request; what was read ahead with the last one belongs to it."""
        self.arrival = Arrival()
        self.has_continued = False
        self.sock.arrived[:0] = self.parser.unreader.take_buffered()

    def has_request(self) -> bool:
        """Tell whether enough of a request is here for a thread to begin with it.

        :raises HeadTooLarge: its head is too long
        """
        arrived = self.sock.arrived
        return bool(arrived) and self.arrival.is_enough(arrived)
