"""The connections that no thread has: clients that connect, are idle, send a request, or read a response.

The main loop of a worker serves all of them without blocking, so slow clients occupy no thread. Each
connection has a deadline.
"""

import logging
import time
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from selectors import EVENT_READ, EVENT_WRITE, BaseSelector

from simplestack.server.arrival import HeadTooLarge
from simplestack.server.connection import Connection, Stage
from simplestack.server.pages import rejection
from simplestack.server.patience import ClientLimits
from simplestack.server.unread import UnreadResponses

_log = logging.getLogger("simplestack.server")

#: How long, and how many bytes, the service reads from a client after its last response. If it closed the
#: connection earlier, the kernel would send a reset, and a client that is still sending would lose the
#: response.
_CLOSING_SECONDS = 2.0
_CLOSING_BYTES = 4 * 1024 * 1024
#: The same for a client that sends a rejected body.
_BODY_SECONDS = 10.0
_BODY_BYTES = 1024**3
#: Clients that take longer than this to send a request are dropped first when connections run out.
_PROMPT_SECONDS = 1.0
_CONTINUE = memoryview(b"HTTP/1.1 100 Continue\r\n\r\n")
#: Stages in which the client waits for no response.
_NOTHING_DUE = (Stage.HANDSHAKE, Stage.IDLE, Stage.ARRIVING, Stage.CLOSING)


class Reception:
    """Serves connections in the main loop."""

    def __init__(
        self, poller: BaseSelector, limits: ClientLimits, start: Callable[[Connection], None]
    ) -> None:
        """Start without connections.

        :param start: called with a connection when a thread can process its request
        """
        #: Number of open connections, including those that threads have.
        self.count = 0
        self._poller = poller
        self._limits = limits
        self._start = start
        self._waiting: set[Connection] = set()
        self.unread = UnreadResponses()
        #: Maximum time that a connection stays open when its client waits for no response.
        self._grace_seconds = float("inf")
        #: What to do when a connection is ready, by stage.
        self._steps: dict[Stage, Callable[[Connection], None]] = {
            Stage.HANDSHAKE: self._shake_hands,
            Stage.IDLE: self._receive,
            Stage.ARRIVING: self._receive,
            Stage.SENDING: self._send,
            Stage.CLOSING: self._discard,
        }

    def welcome(self, conn: Connection) -> None:
        """Add a new connection."""
        self.count += 1
        conn.on_event = partial(self._on_event, conn)
        self._waiting.add(conn)
        self._do(conn, partial(self._enter, stage=Stage.HANDSHAKE))
        self._on_event(conn)

    def take_back(self, conn: Connection, *, keep: bool) -> None:
        """Take back a connection from a thread."""
        self._waiting.add(conn)
        conn.is_kept = keep
        if conn.must_reset:
            self._drop(conn, reset=True)
        elif conn.sock.unsent:
            self.unread.add(conn)
            self._do(conn, partial(self._enter, stage=Stage.SENDING))
            while oldest := self.unread.one_too_many:
                self._drop(oldest, "too many clients do not read their responses", reset=True)
        else:
            self._do(conn, self._go_on)

    def check_deadlines(self, now_seconds: float) -> None:
        """Handle connections whose deadline has passed."""
        for conn in [conn for conn in self._waiting if conn.deadline_seconds <= now_seconds]:
            self._do(conn, self._expire)

    def drop_longest(self) -> bool:
        """Close the connection that has waited the longest. Return whether there was one.

        Connections after their last response are closed first, then clients that send a request slowly, then
        idle connections.
        """
        if not self._waiting:
            return False
        now = time.monotonic()

        def rank(conn: Connection) -> tuple[bool, bool, bool, float]:
            age = now - conn.since_seconds
            is_slow = conn.stage in {Stage.HANDSHAKE, Stage.ARRIVING} and age > _PROMPT_SECONDS
            return conn.stage is Stage.CLOSING, is_slow, conn.stage in _NOTHING_DUE, age

        self._drop(max(self._waiting, key=rank), "there are too many connections")
        return True

    def end_within(self, grace_seconds: float) -> None:
        """Stop: after this time, close connections whose client waits for no response."""
        self._grace_seconds = grace_seconds
        deadline_seconds = time.monotonic() + grace_seconds
        for conn in self._waiting:
            if conn.stage in _NOTHING_DUE:
                conn.deadline_seconds = min(conn.deadline_seconds, deadline_seconds)

    def close(self) -> None:
        """Drop all connections."""
        for conn in list(self._waiting):
            self._drop(conn, "the service stops")

    def _on_event(self, conn: Connection, _file: object = None) -> None:
        if conn in self._waiting:  # otherwise dropped to make room in the same iteration
            self._do(conn, self._steps[conn.stage])

    def _do(self, conn: Connection, step: Callable[[Connection], None]) -> None:
        """Call a step with a connection. If it fails, close the connection."""
        try:
            step(conn)
        except OSError as error:
            _log.debug("a connection is broken: %s", error)
            self._drop(conn)
        except Exception:  # no client may end the worker
            _log.exception("closing a connection: unexpected error")
            self._drop(conn, "unexpected error")

    def _shake_hands(self, conn: Connection) -> None:
        wanted = conn.sock.shake_hands()
        if wanted:
            self._watch(conn, wanted)
            return
        self._enter(conn, Stage.IDLE)
        if conn.sock.has_input:
            self._receive(conn)

    def _receive(self, conn: Connection) -> None:
        before = len(conn.sock.arrived)
        may_come = conn.sock.receive()
        conn.window_bytes += len(conn.sock.arrived) - before
        self._watch(conn, conn.sock.awaited)
        self._look(conn, may_come=may_come)

    def _look(self, conn: Connection, *, may_come: bool = True) -> None:
        """Start the request if enough has arrived."""
        had_head = conn.arrival.has_head
        try:
            is_enough = conn.has_request()
        except HeadTooLarge:
            self._reject(conn, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
            return
        has_head = conn.arrival.has_head
        if is_enough or (has_head and not may_come):
            self._forget(conn)
            self._start(conn)
        elif not may_come:
            self._drop(conn)
        elif has_head and not had_head:
            self._enter(conn, Stage.ARRIVING)
            if conn.arrival.expects_continue:
                self._say_continue(conn)
        elif conn.stage is Stage.IDLE and conn.sock.arrived:
            self._enter(conn, Stage.ARRIVING)

    def _say_continue(self, conn: Connection) -> None:
        conn.has_continued = True
        conn.sock.unsent = _CONTINUE
        conn.sock.send_unsent()
        if conn.sock.unsent:  # a client that does not read 25 bytes reads no response
            self._drop(conn)

    def _send(self, conn: Connection) -> None:
        conn.window_bytes += conn.sock.send_unsent()
        self._watch(conn, conn.sock.awaited)
        if not conn.sock.unsent:
            self.unread.remove(conn)
            self._go_on(conn)

    def _go_on(self, conn: Connection) -> None:
        """Wait for the next request, or close the connection."""
        if not conn.is_kept:
            self._close(conn)
            return
        conn.expect_request()
        self._enter(conn, Stage.IDLE)
        if conn.sock.arrived:
            self._look(conn)
        elif conn.sock.has_input:
            self._receive(conn)

    def _expire(self, conn: Connection) -> None:
        match conn.stage:
            case Stage.ARRIVING if conn.arrival.has_head and self._is_fast_enough(conn):
                self._enter(conn, Stage.ARRIVING)
            case Stage.ARRIVING:
                self._reject(conn, HTTPStatus.REQUEST_TIMEOUT)
            case Stage.SENDING:
                # The kernel reports a socket as writable only when a third of its buffer is free.
                self._send(conn)
                if conn.stage is Stage.SENDING and self._is_fast_enough(conn):
                    self._enter(conn, Stage.SENDING)
                elif conn.stage is Stage.SENDING:
                    self._drop(conn, "it reads too slowly", reset=True)
            case _:
                self._drop(conn)

    def _is_fast_enough(self, conn: Connection) -> bool:
        return conn.window_bytes >= self._limits.least_bytes_per_window

    def _reject(self, conn: Connection, status: HTTPStatus) -> None:
        """Send an error response without waiting for the client to read it."""
        conn.sock.unsent = memoryview(rejection(status, status.phrase, conn.client))
        conn.sock.send_unsent()
        conn.sock.unsent = memoryview(b"")
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        """Close our side of the connection, then wait for the client to close its own: RFC 9112, 9.6."""
        conn.sock.end_sending()
        self._enter(conn, Stage.CLOSING)

    def _discard(self, conn: Connection) -> None:
        may_come = conn.sock.receive()
        conn.window_bytes += len(conn.sock.arrived)
        conn.sock.arrived.clear()
        if not may_come or conn.window_bytes > (_BODY_BYTES if conn.has_body_left else _CLOSING_BYTES):
            self._drop(conn)

    def _enter(self, conn: Connection, stage: Stage) -> None:
        """Enter a stage, or continue it with a new deadline."""
        now = time.monotonic()
        if conn.stage is not stage or not conn.watched:
            conn.since_seconds = now
        conn.stage = stage
        conn.window_bytes = 0
        limit_seconds = self._limit_seconds(conn)
        if stage in _NOTHING_DUE:
            limit_seconds = min(limit_seconds, self._grace_seconds)
        conn.deadline_seconds = now + limit_seconds
        self._watch(conn, EVENT_WRITE if stage is Stage.SENDING else EVENT_READ)

    def _limit_seconds(self, conn: Connection) -> float:
        match conn.stage:
            case Stage.IDLE if conn.parser.req_count:
                return self._limits.keep_alive_seconds
            case Stage.IDLE:  # a new connection; without keep-alive, that limit may be 0
                return max(self._limits.keep_alive_seconds, self._limits.head_timeout_seconds)
            case Stage.HANDSHAKE:
                return self._limits.head_timeout_seconds
            case Stage.ARRIVING if not conn.arrival.has_head:
                return self._limits.head_timeout_seconds
            case Stage.ARRIVING | Stage.SENDING:
                return self._limits.window_seconds
            case Stage.CLOSING:
                return _BODY_SECONDS if conn.has_body_left else _CLOSING_SECONDS

    def _watch(self, conn: Connection, events: int) -> None:
        if conn.watched == events:
            return
        if conn.watched:
            self._poller.modify(conn.sock, events, conn.on_event)
        else:
            self._poller.register(conn.sock, events, conn.on_event)
        conn.watched = events

    def _forget(self, conn: Connection) -> None:
        self._waiting.discard(conn)
        if conn.watched:
            self._poller.unregister(conn.sock)
            conn.watched = 0

    def _drop(self, conn: Connection, why: str = "", *, reset: bool = False) -> None:
        """Close a connection.

        :param why: reason for the log; empty if the client disconnected
        """
        if conn not in self._waiting:
            return
        if conn.stage is Stage.SENDING and conn.sock.unsent:
            _log.info(
                "request %s: the client %s before the last %d bytes of the response%s",
                conn.sock.request_id,
                "was cut off" if why else "disconnected",
                conn.sock.unsent.nbytes,
                why and f": {why}",
            )
        self.unread.remove(conn)
        self._forget(conn)
        conn.sock.close(reset=reset)
        self.count -= 1
