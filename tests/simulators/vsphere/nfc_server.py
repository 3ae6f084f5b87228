"""The server of leases: an address of its own, as an ESXi host has it that vCenter names."""

import contextlib
import hashlib
import ssl
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from pyVmomi import vim, vmodl

from simulators.https import HttpsServer
from simulators.vsphere import vmdk
from simulators.vsphere.disk_chains import merged_grains
from simulators.vsphere.leases import Address, Lease, LeaseFile
from simulators.vsphere.request_bodies import Body
from simulators.vsphere.simulator import Simulator

_PARTS = 4
_PIECE_BYTES = 65_536


class NfcServer(HttpsServer):
    """Sends and takes the files of leases. Whoever knows a URL needs no session."""

    def __init__(
        self,
        simulator: Simulator,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        *,
        host: str = "127.0.0.1",
        thumbprint: str = "",
    ) -> None:
        """Listen, and let leases have URLs here.

        :param context: with the server's certificate; None serves without TLS
        :param host: in the URLs; ``*`` is the host that the client is connected to
        :param thumbprint: of the certificate
        """
        self.simulator = simulator
        super().__init__(context, address, type("_Handler", (_Handler,), {"place": self}))
        scheme = "http" if context is None else "https"
        simulator.leases.address = Address(f"{scheme}://{host}:{self.port}", thumbprint)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    #: Set by the server.
    place: NfcServer

    def do_GET(self) -> None:
        """Send a file."""
        found = self._find(is_import=False)
        if found is None:
            return
        lease, file = found
        self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Transfer-Encoding", "chunked")  # nobody knows how long it becomes
        self.end_headers()
        digest, size = hashlib.sha1(usedforsecurity=False), 0
        for piece in self._pieces(file):
            with self._lock:
                if not lease.is_held:
                    self.close_connection = True
                    return
            digest.update(piece)
            size += len(piece)
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        with self._lock:
            file.manifest = _entry(file, digest.hexdigest(), size)
        self.wfile.write(b"0\r\n\r\n")

    def do_PUT(self) -> None:
        """Take a disk or the firmware's file."""
        self._take(201)

    def do_POST(self) -> None:
        """Take a disk. No other file can be sent like this."""
        self._take(200)

    def log_message(self, *_arguments: Any) -> None:
        """Print nothing."""

    @property
    def _lock(self) -> Any:
        return self.place.simulator.database.lock

    def _find(self, *, is_import: bool) -> tuple[Lease, LeaseFile] | None:
        """Return what the URL names; None if it is not valid, which was answered already."""
        parts = urlsplit(self.path).path.split("/")
        with self._lock:
            found = None
            if len(parts) == _PARTS and parts[1] == "nfc":
                found = self.place.simulator.leases.find(*parts[2:])
        if found is not None and found[0].is_import == is_import:
            return found
        self.close_connection = True  # its body was not read
        self._send_empty(404)
        return None

    def _take(self, status: int) -> None:
        found = self._find(is_import=True)
        if found is None:
            return
        lease, file = found
        leases = self.place.simulator.leases
        body = Body(self.rfile, self.headers)
        if not file.is_disk:
            self._take_settings(lease, file, body)
            return
        try:
            content = vmdk.read(lambda size: self._read(lease, body, size))
            body.finish()
        except (vmdk.BadDiskError, ValueError, OSError) as error:
            self.close_connection = True
            status = 500
            with self._lock:
                if lease.is_held:
                    leases.fail(lease, vmodl.fault.SystemError(reason=str(error)))
            if isinstance(error, vmdk.BadDiskError):  # the client reads the response once it has sent all
                with contextlib.suppress(ValueError, OSError):
                    body.finish()
        else:
            with self._lock:
                if not lease.is_held or not leases.store(lease, file, content):
                    status = 500
        self._send_empty(status)

    def _take_settings(self, lease: Lease, file: LeaseFile, body: Body) -> None:
        """Take a file that is no disk, as clients of vSphere send one: ``PUT`` with ``Overwrite: t``.

        To ``POST``, vSphere answers 405 (pyvmomi-community-samples#540); what it answers without the header
        is not known.
        """
        content = b""
        while piece := self._read(lease, body, _PIECE_BYTES):
            content += piece
        if self.command != "PUT" or self.headers.get("Overwrite") != "t":
            self._send_empty(405 if self.command != "PUT" else 412)
            return
        with self._lock:
            is_stored = lease.is_held and self.place.simulator.leases.store_settings(lease, file, content)
        self._send_empty(201 if is_stored else 500)

    def _read(self, lease: Lease, body: Body, size: int) -> bytes:
        with self._lock:
            if not lease.is_held:
                raise ValueError("the lease has ended")
        return body.read(size)

    def _send_empty(self, status: int) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _pieces(self, file: LeaseFile) -> Iterator[bytes]:
        if file.is_disk:
            with self._lock:
                grains = merged_grains(file.chain)
            yield from vmdk.write(file.chain[0].capacity_bytes, grains)
        else:
            newest = file.chain[0]
            yield newest.content or bytes(newest.size_bytes)


def _entry(file: LeaseFile, sha1: str, size: int) -> Any:
    made: Any = vim.HttpNfcLease.ManifestEntry(key=file.key, sha1=sha1, size=size, disk=file.is_disk)
    if file.is_disk:
        made.capacity = file.chain[0].capacity_bytes
        made.populatedSize = len(merged_grains(file.chain)) * vmdk.GRAIN_BYTES
    return made
