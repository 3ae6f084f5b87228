"""Gunicorn's threaded worker, with errors in our shape, time limits for clients, and threads that linger."""

import logging
import re
import select
import selectors
import signal
import struct
import time
from socket import SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET
from types import FrameType
from typing import Any

from gunicorn.http import RequestParser
from gunicorn.http.errors import ParseException
from gunicorn.workers.gthread import TConn, ThreadWorker

from simplestack.server.body_reader import read_directly
from simplestack.server.ending import Ending
from simplestack.server.in_flight import InFlight
from simplestack.server.problems import http_problem, problem_body
from simplestack.server.request_id import HEADER, new_request_id

_log = logging.getLogger("simplestack.server")

#: First-generation clients wait as long between two bytes.
_CLIENT_TIMEOUT_SECONDS = 60
#: ``struct timeval``. Set at the socket, since gunicorn resets Python's own time-out before each request.
_CLIENT_TIMEOUT = struct.pack("@ll", _CLIENT_TIMEOUT_SECONDS, 0)
#: A client with more to ask at once does so within a round trip.
_LINGER_MILLISECONDS = 20
#: A worker waits so long for each connection that it has, up to so many, before it takes one more.
_YIELD_SECONDS = 0.0001
_YIELDING_CONNECTIONS = 10
#: What is left of an upload that was refused is still read, for so long and up to so much. Closing earlier
#: makes the kernel send a reset, and that takes the answer from a client that is still sending.
_DRAIN_SECONDS = 10
_DRAIN_BYTES = 1024**3
#: How long a stopping worker keeps connections open on which no request has come.
_LAST_REQUEST_SECONDS = 1.0
#: How long a worker has to end that is to end at once: the arbiter gives it as much.
_HURRIED_SECONDS = 2.0
_STATUS_LINE = re.compile(rb"\AHTTP/1\.1 (?P<status>[0-9]{3}) (?P<reason>[^\r\n]*)")


def _speaks_soon(conn: TConn) -> bool:
    """Wait a moment for a kept connection's next request."""
    if not isinstance(conn.parser, RequestParser):  # HTTP/2 keeps count of its requests by itself
        return False
    if conn.parser.unreader.buf.getvalue():  # read ahead already, with the last request
        return True
    poll = select.poll()
    poll.register(conn.sock, select.POLLIN)
    return bool(poll.poll(_LINGER_MILLISECONDS))


def _drained(conn: TConn) -> bool:
    """Read the rest of a body, so that its client comes to read the answer; tell whether all of it came."""
    if not isinstance(conn.parser, RequestParser):
        return True
    try:
        deadline = time.monotonic() + _DRAIN_SECONDS
        return bool(
            conn.parser.finish_body(deadline=deadline, max_bytes=_DRAIN_BYTES)  # type: ignore[func-returns-value]  # the stub says None
        )
    except (OSError, ParseException) as error:  # the client has gone away, or broke a chunk
        _log.debug("the rest of a body could not be read: %s", error)
        return False


def _without_header_values(record: logging.LogRecord) -> bool:
    """Cut what gunicorn logs of a malformed request: the line it quotes may be a header with a token."""
    if isinstance(record.msg, str) and record.msg.startswith("Invalid request from ip="):
        record.msg = record.msg.partition(": ")[0]
    return True


#: Until a worker has handlers of its own it has the arbiter's, which do nothing there: signals would be lost.
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


class Worker(ThreadWorker):
    """``gunicorn --worker-class simplestack.server.Worker``; ``simplestack serve`` uses it by itself."""

    _in_flight: InFlight
    _is_hurried = False

    def init_process(self) -> None:
        """Start; called in the new process."""
        self.log.error_log.addFilter(_without_header_values)
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application."""
        super().load_wsgi()
        self._in_flight = InFlight(self.wsgi)
        self.wsgi = self._in_flight

    def init_signals(self) -> None:
        """Take signals from here on, one that came since the fork included."""
        super().init_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """End at once, without waiting for requests: SIGQUIT, and SIGINT from a terminal."""
        if not self.booted:  # nothing runs yet, and loading would go on
            super().handle_quit(sig, frame)
        self.cfg.worker_int(self)
        self._is_hurried = True
        self.handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until a signal comes or the arbiter is gone, then end within the graceful time."""
        # gunicorn's own ends by joining its threads: one that hangs then keeps the process for ever.
        queue = self.method_queue
        self.poller.register(queue, selectors.EVENT_READ, queue.run_callbacks)  # type: ignore[arg-type]  # it is open: fileno() is no None
        self.set_accept_enabled(True)
        while self.alive:
            self.notify()
            self.set_accept_enabled(self.nr_conns < self.worker_connections)
            self.wait_for_and_dispatch_events(1.0)
            self.murder_keepalived()
            self.murder_pending()
            self.alive = self.alive and self.is_parent_alive()
        self._end()

    def _end(self) -> None:
        ending = Ending(self.cfg.graceful_timeout)
        self.set_accept_enabled(False)
        # A client may be sending its next request already: RFC 9112 section 9.6.
        self._cap_keepalive(time.monotonic() + _LAST_REQUEST_SECONDS)  # type: ignore[attr-defined]  # new in 27
        while self.nr_conns and not self._is_hurried and time.monotonic() < ending.requests_until_seconds:
            self.notify()
            self.wait_for_and_dispatch_events(0.1)
            self.murder_keepalived()
            self.murder_pending()
        if self._is_hurried:
            ending = Ending(_HURRIED_SECONDS)
        self.murder_keepalived(force=True)  # type: ignore[call-arg]  # new in 27
        self.tpool.shutdown(wait=False, cancel_futures=True)
        ending.finish(self._in_flight.request_ids(), is_held_up=self.nr_conns > 0)

    def accept(self, listener: Any) -> None:
        """Accept a connection, after a moment in which a worker with fewer of them may take it.

        Kept connections stay where they are. Taken as they come, most may land in one process, and one core.
        """
        if self.nr_conns:
            time.sleep(min(self.nr_conns, _YIELDING_CONNECTIONS) * _YIELD_SECONDS)
        super().accept(listener)

    def handle(self, conn: TConn) -> Any:
        """Serve a connection, with time limits on what its client sends and takes.

        Gunicorn hands a connection back to its main thread after each request. While there are threads
        enough for all connections, the thread waits for the next request itself, which spares two changes of
        threads.
        """
        if not conn.initialized:
            conn.sock.setsockopt(SOL_SOCKET, SO_RCVTIMEO, _CLIENT_TIMEOUT)
            conn.sock.setsockopt(SOL_SOCKET, SO_SNDTIMEO, _CLIENT_TIMEOUT)
        kept = super().handle(conn)
        while kept is True and self.alive and self.nr_conns <= self.cfg.threads and _speaks_soon(conn):
            kept = super().handle(conn)
        return kept

    def handle_request(self, req: Any, conn: TConn) -> Any:
        """Serve a request, with a body that can be read fast."""
        read_directly(req)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: TConn, keepalive: object) -> bool:
        """Tell whether the connection is kept. Gunicorn's own reads 64 KiB of a refused upload at most."""
        return _drained(conn) and bool(keepalive)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what never became a request: gunicorn decides the status, we write the body."""
        page = _Page()
        super().handle_error(req, page, addr, exc)  # type: ignore[arg-type]  # it has all that is called
        answer = _STATUS_LINE.match(page.written)
        if answer is None:
            return
        identity = new_request_id()
        body = problem_body(*http_problem(int(answer["status"])), identity)
        head = (
            f"\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"{HEADER}: {identity}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        _log.info("request %s refused: it is not HTTP that this server takes", identity)
        try:
            client.sendall(answer[0] + head.encode() + body)
        except OSError as error:
            _log.debug("request %s: the client has gone away: %s", identity, error)


class _Page:
    """Takes the place of the client's socket while gunicorn writes its page."""

    written = b""

    def gettimeout(self) -> float:
        """Say that it never blocks."""
        return 0.0

    def sendall(self, data: bytes) -> None:
        """Keep what is written."""
        self.written += data
