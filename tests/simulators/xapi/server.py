"""The simulator on a socket: HTTPS, one thread for each connection.

`POST /` is XML-RPC, `POST /jsonrpc` JSON-RPC. What is below ``/simulator/`` XAPI has not: ``GET counts``
tells how often each message came, ``DELETE counts`` begins anew, ``POST faults`` orders a fault, and
``DELETE faults`` forgets all. ``PUT /import`` and ``GET /export`` move images.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from simulators.xapi.failures import Failure
from simulators.xapi.faults import Drop, Rule
from simulators.xapi.simulator import Simulator
from simulators.xapi.transfer import Readable, Writable
from simulators.xapi.wire import Call, Malformed, read_json_call, read_xml_call

_READERS: dict[str, Callable[[bytes], Call]] = {
    "/": read_xml_call,
    "/RPC2": read_xml_call,
    "/jsonrpc": read_json_call,
}
#: What hangs for longer is a client that has gone away without saying so.
_CLIENT_SECONDS = 300


class Server(ThreadingHTTPServer):
    """One address of a simulated pool."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self,
        simulator: Simulator,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        master_address: str | None = None,
        redirect_to: str | None = None,
        *,
        speaks_json: bool = True,
    ) -> None:
        """Listen.

        :param context: with the server's certificate; None serves without TLS
        :param redirect_to: ``https://host:port`` of another host, which imports and exports are sent to
        :param speaks_json: whether there is a ``/jsonrpc``; old XAPIs have none
        :param master_address: makes it a slave, which sends its clients there
        """
        self.simulator = simulator
        self.context = context
        self.master_address = master_address
        self.redirect_to = redirect_to
        self.speaks_json = speaks_json
        #: How long it takes to say so.
        self.redirect_seconds = 0.0
        super().__init__(address, _Handler)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.server_port

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection, in its thread: a client that is slow to shake hands holds nobody up."""
        request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request.settimeout(_CLIENT_SECONDS)
        with contextlib.suppress(OSError):  # the client went away, or does not trust us
            if self.context is None:
                super().finish_request(request, client_address)
                return
            with self.context.wrap_socket(request, server_side=True) as secured:
                super().finish_request(secured, client_address)


class _Body:
    """The body of a request, and no more than that."""

    def __init__(self, file: Readable, length: int) -> None:
        self._file = file
        self._missing = length

    def read(self, size: int) -> bytes:
        """Return up to so many bytes of it.

        :raises ConnectionError: the client has gone away before its end
        """
        data = self._file.read(min(size, self._missing))
        if not data and self._missing and size:
            raise ConnectionError("the client has gone away")
        self._missing -= len(data)
        return data

    def drain(self) -> None:
        """Read what is left: tar pads its files."""
        while self.read(1024 * 1024):
            pass


class _HalfSent:
    """Takes some of an image, and then breaks."""

    def __init__(self, file: Writable) -> None:
        self._file = file
        self._left = 2 * 1024 * 1024

    def write(self, data: bytes) -> None:
        """Pass data on while there is some left to send.

        :raises ConnectionError: there is none
        """
        self._left -= len(data)
        if self._left < 0:
            raise ConnectionError("as it was ordered")
        self._file.write(data)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        """Answer a call, or take a fault."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._page(411, "Length Required")
            return
        body = self.rfile.read(int(length))
        if self.path == "/simulator/faults":
            self._order_fault(body)
            return
        reader = _READERS.get(self.path)
        if reader is None or (self.path == "/jsonrpc" and not self.server.speaks_json):
            self._page(404, "Not Found")
            return
        try:
            call = reader(body)
        except Malformed as malformed:
            self._page(500, "Internal Error", str(malformed))
            return
        try:
            answer = self.server.simulator.answer(call, master_address=self.server.master_address)
        except Drop:
            self.close_connection = True
            return
        self._write(200, answer, call.wire.content_type)

    def do_GET(self) -> None:
        """Tell the counts, or export a VM."""
        if self.path == "/simulator/counts":
            self._write(200, msgspec.json.encode(self.server.simulator.counts), "application/json")
        elif urlsplit(self.path).path == "/export":
            self._transfer(self._export)
        else:
            self._page(404, "Not Found")

    def do_PUT(self) -> None:
        """Import a VM."""
        if urlsplit(self.path).path != "/import":
            self._page(404, "Not Found")
        elif not self.headers.get("Content-Length", "").isdigit():  # XAPI takes no chunks
            self._page(411, "Length Required")
        else:
            self._transfer(self._import)

    def _transfer(self, move: Callable[[dict[str, str]], None]) -> None:
        """Move an image, unless another host is to do it, or this one refuses."""
        self.close_connection = True
        if self.server.redirect_to is not None:
            time.sleep(self.server.redirect_seconds)  # what it is there for
            self.send_response(302)
            self.send_header("Location", self.server.redirect_to + self.path)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        try:
            move(dict(parse_qsl(urlsplit(self.path).query)))
        except Failure as failure:
            self._page(500, "Internal Error", " ".join(failure.description))

    def _export(self, query: dict[str, str]) -> None:
        simulator = self.server.simulator
        database, transfer = simulator.database, simulator.transfer
        simulator.check_session(query.get("session_id", ""), "VM.export")
        with simulator.task(query.get("task_id"), "VM.export"):
            if "uuid" in query:
                vm = database.by_uuid("VM", query["uuid"])
            else:
                vm = database.get("VM", query.get("ref", ""))
            transfer.check_export(vm)
            rule = simulator.faults.take("export")
            simulator.faults.before(rule)
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            transfer.export(vm, self.wfile if rule is None else _HalfSent(self.wfile))

    def _import(self, query: dict[str, str]) -> None:
        body = _Body(self.rfile, int(self.headers["Content-Length"]))
        try:
            self._import_body(body, query)
        except Failure:
            body.drain()  # a client that is still sending would not read the answer
            raise
        self._write(200, b"", "text/plain")

    def _import_body(self, body: _Body, query: dict[str, str]) -> None:
        simulator = self.server.simulator
        database, transfer = simulator.database, simulator.transfer
        simulator.check_session(query.get("session_id", ""), "VM.import")
        with simulator.task(query.get("task_id"), "VM.import") as outcome:
            wanted = query.get("sr_id")
            storage = database.get("SR", wanted).ref if wanted else transfer.default_storage()
            made = transfer.import_(body, storage)
            body.drain()
            outcome.result = f"<value><array><data><value>{made}</value></data></array></value>"

    def do_DELETE(self) -> None:
        """Begin to count anew, or forget all faults."""
        simulator = self.server.simulator
        resets: dict[str, Callable[[], None]] = {
            "/simulator/counts": simulator.counts.clear,
            "/simulator/faults": simulator.faults.clear,
        }
        reset = resets.get(self.path)
        if reset is None:
            self._page(404, "Not Found")
            return
        reset()
        self._write(204, b"", "text/plain")

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: the counts tell more."""

    def _order_fault(self, body: bytes) -> None:
        try:
            rule = msgspec.json.decode(body, type=Rule)
        except msgspec.DecodeError as error:
            self._page(400, "Bad Request", str(error))
            return
        self.server.simulator.faults.add(rule)
        self._write(204, b"", "text/plain")

    def _page(self, status: int, reason: str, more: str = "") -> None:
        """Answer as XAPI does outside of calls."""
        self.close_connection = True
        text = f"<html><body><h1>HTTP {status} {reason.lower()}</h1>{escape(more)}</body></html>"
        self._write(status, text.encode(), "text/html")

    def _write(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


def server_context(certificate: Path, key: Path | None = None) -> ssl.SSLContext:
    """Return what a server shows its clients."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve until the block ends."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.simulator.faults.clear()
        server.shutdown()
        server.server_close()
        thread.join()
