"""Requests of a connection: calls, images, and what is the simulator's own."""

import time
from http.server import BaseHTTPRequestHandler
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape

from simulators.xapi import control, pages
from simulators.xapi.faults import Drop
from simulators.xapi.raw_image_requests import RawImageRequest
from simulators.xapi.simulator import Simulator
from simulators.xapi.wire import Malformed, read_json_call, read_xml_call

#: XAPI's `http_limit_max_rpc_size`.
_MAX_CALL_BYTES = 300 * 1024


class Place(Protocol):
    """What a connection needs to know of the address that it came to."""

    simulator: Simulator
    master_address: str | None
    redirect_to: str | None
    redirect_seconds: float
    speaks_json: bool


class Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection, one after the other."""

    protocol_version = "HTTP/1.1"
    #: Set by the server.
    place: Place

    def handle_expect_100(self) -> bool:
        """Say nothing to a client that asks whether it may go on: XAPI does not know that it is asked."""
        return True

    def do_POST(self) -> None:
        """Answer a call, or take a fault."""
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self._page(pages.internal_error("We require a content-length: HTTP header"))
        elif self.path.startswith(control.PREFIX):
            self._control(self.rfile.read(int(length)))
        elif int(length) > _MAX_CALL_BYTES:
            self._page(pages.internal_error("Client_requested_size_over_limit"))
        else:
            self._call(self.rfile.read(int(length)))

    def do_GET(self) -> None:
        """Export a VM, or tell the counts."""
        if self.path.startswith(control.PREFIX):
            self._control()
        elif urlsplit(self.path).path == "/export":
            self._move()
        else:
            self._page(pages.missing())

    def do_PUT(self) -> None:
        """Import a VM, or what is on a disk."""
        if urlsplit(self.path).path in ("/import", "/import_raw_vdi"):
            self._move()
        else:
            self._page(pages.forbidden())

    def do_DELETE(self) -> None:
        """Begin to count anew, or forget all faults."""
        if self.path.startswith(control.PREFIX):
            self._control()
        else:
            self._page(pages.not_implemented(self.command))

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: the counts tell more."""

    def _call(self, body: bytes) -> None:
        """Answer a call. Where there is no other handler, XAPI takes it for XML-RPC, whatever the path."""
        is_json = self.path.startswith("/jsonrpc") and self.place.speaks_json
        try:
            call = read_json_call(body) if is_json else read_xml_call(body)
        except Malformed as malformed:
            self._page(pages.internal_error(escape(str(malformed))))
            return
        try:
            answer = self.place.simulator.answer(call, master_address=self.place.master_address)
        except Drop:
            self.close_connection = True
            return
        self._write(200, answer, call.wire.content_type)

    def _move(self) -> None:
        """Move an image. The connection ends with it, whatever the client still has to send."""
        self.close_connection = True
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        request = RawImageRequest(self.place.simulator, query, self.rfile, self.wfile)
        redirect = None
        if self.place.redirect_to is not None:
            time.sleep(self.place.redirect_seconds)  # what it is there for
            redirect = self.place.redirect_to + self.path
        is_chunked = "Transfer-Encoding" in self.headers
        length = self.headers.get("Content-Length", "")
        try:
            if parts.path == "/import":
                request.import_(redirect, is_chunked=is_chunked)
            elif parts.path == "/import_raw_vdi":
                size = int(length) if length.isdigit() else None
                request.import_raw(redirect, size, is_chunked=is_chunked)
            else:
                request.export(redirect)
        except Drop:
            return

    def _control(self, body: bytes = b"") -> None:
        self._write(*control.answer(self.place.simulator, self.command, self.path, body))

    def _page(self, page: bytes) -> None:
        self.close_connection = True
        self.wfile.write(page)

    def _write(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
