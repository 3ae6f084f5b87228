"""Gunicorn's threaded worker, with a main loop that waits for clients instead of the threads."""

import errno
import logging
import os
import selectors
import signal
import sys
import threading
import time
from functools import partial
from types import FrameType
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from simplestack.config.settings import ServerSettings
from simplestack.errors import InvalidArguments, SimplestackError
from simplestack.server.acceptor import Acceptor
from simplestack.server.app import Application
from simplestack.server.arrival import HeadTooLarge
from simplestack.server.body_reader import drain, read_directly
from simplestack.server.connection import Connection
from simplestack.server.ending import Ending
from simplestack.server.in_flight import InFlight
from simplestack.server.metrics.ended_workers import keep_figures_of_ended_workers
from simplestack.server.metrics.folder import metrics_folder, remove_metrics_folder
from simplestack.server.pages import StandIn, error_page
from simplestack.server.patience import ClientLimits
from simplestack.server.reception import Reception
from simplestack.server.response_head import omit_server_header

_log = logging.getLogger("simplestack.server")

#: How long a thread waits for the next request: a fast client sends it within a round trip.
_LINGER_SECONDS = 0.02
#: How often the main loop checks deadlines.
_TICK_SECONDS = 0.5
#: How long a stopping worker keeps idle connections open.
_LAST_REQUEST_SECONDS = 1.0
#: Time limit of a quick stop: the arbiter waits as long.
_HURRIED_SECONDS = 2.0
#: With one thread, a slow client would block all others.
_LEAST_THREADS = 2
#: Blocked until the worker has its own handlers: the arbiter's would ignore them.
STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGQUIT}


def _is_logged(record: logging.LogRecord) -> bool:
    """Leave out gunicorn's line about a malformed request: it may quote a token, and there is one of ours."""
    return not (isinstance(record.msg, str) and record.msg.startswith("Invalid request from ip="))


class Worker(ThreadWorker):
    """``gunicorn --worker-class simplestack.server.Worker``. ``simplestack serve`` uses it, too."""

    _in_flight: InFlight
    _reception: Reception
    _acceptor: Acceptor
    _is_hurried = False
    #: Number of connections that threads have, or that wait for a thread.
    _busy_conns = 0
    #: Connections that wait for a thread.
    _queued_conns: set[Connection]
    _next_tick_seconds = 0.0

    def __init__(self, *args: Any) -> None:
        """Prepare a worker. Gunicorn calls this in the arbiter, also after a reload, with new settings."""
        super().__init__(*args)
        keep_figures_of_ended_workers(self.cfg)

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:  # noqa: ARG003  gunicorn's signature
        """Check gunicorn's settings, and switch off its control socket. Gunicorn calls this when it starts.

        The number of threads does not limit the number of idle connections.

        :raises RuntimeError: the protocol is not HTTP/1.1, or there is only one thread
        """
        if cfg.threads < _LEAST_THREADS:
            raise RuntimeError(
                f"simplestack.server.Worker needs at least {_LEAST_THREADS} threads, so that a slow client "
                "leaves one to others: set --threads"
            )
        if cfg.protocol != "http" or "h2" in cfg.http_protocols:
            raise RuntimeError("simplestack.server.Worker speaks HTTP/1.1 only: put a proxy in front of it")
        metrics_folder()  # before the workers are forked, which share it
        # Whoever can write to it controls the service. Gunicorn opens it after this.
        cfg.set("control_socket_disable", True)

    def init_process(self) -> None:
        """Start. Gunicorn calls this in the new process."""
        self.log.error_log.addFilter(_is_logged)
        omit_server_header()
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the application."""
        super().load_wsgi()
        self.max_keepalived = sys.maxsize  # `Acceptor` limits connections
        if isinstance(self.wsgi, Application):
            self.wsgi.readiness.is_stopping = lambda: not self.alive
        settings = getattr(self.wsgi, "server_settings", ServerSettings())
        limits = ClientLimits(
            head_timeout_seconds=settings.request_head_timeout_seconds,
            keep_alive_seconds=self.cfg.keepalive,
            least_bytes_per_second=settings.min_client_bytes_per_second,
            window_seconds=settings.slow_client_window_seconds,
            places=threading.BoundedSemaphore(self.cfg.threads // 2),
        )
        self._reception = Reception(self.poller, limits, self.enqueue_req)
        self._acceptor = Acceptor(self.cfg, limits, self._reception)
        self._queued_conns = set()
        self._in_flight = InFlight(self.wsgi)
        self.wsgi = self._in_flight

    def init_signals(self) -> None:
        """Handle signals, including those that arrived since the fork."""
        super().init_signals()
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # `pkill -HUP simplestack` is meant for the arbiter
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)

    def handle_quit(self, sig: int, frame: FrameType | None) -> None:
        """Stop without waiting for requests: SIGQUIT, and SIGINT from a terminal."""
        if not self.booted:  # no request runs yet, and loading would continue
            super().handle_quit(sig, frame)
        self.cfg.worker_int(self)
        self._is_hurried = True
        self.handle_exit(sig, frame)

    # The main loop.

    def run(self) -> None:
        """Serve until a signal arrives or the arbiter is gone, then stop within the graceful timeout."""
        # gunicorn's own `run` joins its threads: a hanging thread would keep the process forever.
        queue = self.method_queue
        self.poller.register(queue, selectors.EVENT_READ, queue.run_callbacks)  # type: ignore[arg-type]  # it is open, so fileno() is not None
        self.set_accept_enabled(True)
        while self.alive:
            self._turn()
            if not self.is_parent_alive():
                self.alive = False
        ending = Ending(self.cfg.graceful_timeout)
        self.set_accept_enabled(False)
        # A client may be sending its next request already: RFC 9112 section 9.6.
        self._reception.end_within(_LAST_REQUEST_SECONDS)
        while self._reception.count and not self._is_hurried and (left := ending.seconds_for_requests) > 0:
            self._turn(left)
        if self._is_hurried:
            ending = Ending(_HURRIED_SECONDS)
        self.tpool.shutdown(wait=False, cancel_futures=True)
        cut_off = self._in_flight.request_ids() + self._reception.unread.request_ids()
        self._reception.close()
        if os.getppid() != self.ppid:  # the arbiter was killed
            remove_metrics_folder()
        ending.finish(cut_off, len(self._queued_conns), is_held_up=self._busy_conns > 0)

    def _turn(self, limit_seconds: float = _TICK_SECONDS) -> None:
        self.wait_for_and_dispatch_events(min(limit_seconds, _TICK_SECONDS))
        now = time.monotonic()
        if now >= self._next_tick_seconds:
            self._next_tick_seconds = now + _TICK_SECONDS
            self.notify()
            self.set_accept_enabled(self.alive)
            self._reception.check_deadlines(now)

    def accept(self, listener: Any) -> None:
        """Accept connections. When the maximum is reached, stop until the next tick."""
        if not self._acceptor.accept(listener):
            self.set_accept_enabled(False)

    def enqueue_req(self, conn: Any) -> None:
        """Let a thread handle a request that has arrived."""
        self._busy_conns += 1
        self._queued_conns.add(conn)
        try:
            self.tpool.submit(self._serve, conn)
        except RuntimeError as error:  # the request is in the queue, for the existing threads
            _log.warning(
                "cannot start a thread for a request, which now waits for an existing one: %s", error
            )

    def _take_back(self, conn: Connection, *, keep: bool) -> None:
        self._busy_conns -= 1
        self._reception.take_back(conn, keep=keep)

    # For threads.

    def _serve(self, conn: Connection) -> None:
        """Serve a connection, then return it to the main loop."""
        self._queued_conns.discard(conn)
        keep = False
        try:
            keep = self.handle(conn)
        except BaseException:  # nothing reads the future's result
            _log.exception("closing a connection: unexpected error")
        finally:
            self.method_queue.defer(partial(self._take_back, conn, keep=keep))

    def handle(self, conn: Any) -> bool:
        """Serve a connection.

        Gunicorn returns a connection to the main loop after each request. While enough threads are free, this
        thread waits for the next request itself, which saves two thread switches.
        """
        kept = self._handle_one(conn)
        while kept and self._has_next(conn):
            kept = self._handle_one(conn)
        return kept

    def _handle_one(self, conn: Connection) -> bool:
        try:
            return super().handle(conn)
        finally:
            conn.sock.patience.end()

    def _has_next(self, conn: Connection) -> bool:
        """Wait shortly for the next request on a connection. If none arrives, the main loop waits for it."""
        if conn.sock.unsent or not self.alive or self._busy_conns > self.cfg.threads:
            return False
        conn.expect_request()
        try:
            if not conn.sock.has_input:
                if not conn.sock.has_input_within(_LINGER_SECONDS):
                    return False
                conn.sock.receive()
            return conn.has_request()
        except (OSError, HeadTooLarge):  # the main loop handles it
            return False

    def handle_request(self, req: Any, conn: Any) -> bool:
        """Serve a request."""
        if req.version >= (1, 1) and "HOST" not in dict(req.headers):
            raise InvalidArguments("the Host header is missing: HTTP/1.1 requires it")  # RFC 9112, 3.2
        read_directly(req)
        if conn.has_continued:
            req._expected_100_continue = False  # noqa: SLF001  there is no other way to say that it was sent
        conn.sock.begin_response(req.force_close)
        try:
            kept = super().handle_request(req, conn)
            conn.sock.flush()
        except OSError as error:
            # In HTTP/1.0, the end of the connection ends the response.
            conn.must_reset = req.version < (1, 1) or bool(conn.sock.failure)
            # Gunicorn does not log this error: the log has a line already.
            raise ConnectionResetError(errno.ECONNRESET, "the client disconnected") from error
        finally:
            conn.sock.end_response()
        return kept

    def _keepalive_after(self, conn: Any, keepalive: object) -> bool:
        """Return whether to keep the connection. Gunicorn's method reads only 64 KiB of a rejected upload."""
        conn.has_body_left = not drain(conn.parser.mesg.body, conn.sock)
        return bool(keepalive) and not conn.has_body_left

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Respond to a malformed request: gunicorn chooses the status, we write the body."""
        if isinstance(exc, SimplestackError):
            page = error_page(exc, addr)
        else:
            stand_in = StandIn()
            super().handle_error(req, stand_in, addr, exc)  # type: ignore[arg-type]  # it has all methods that are called
            page = stand_in.page(addr)
        try:
            client.sendall(page)
        except OSError as error:
            _log.debug("a client disconnected before its response: %s", error)
