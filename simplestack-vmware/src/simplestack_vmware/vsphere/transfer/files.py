"""Connections to the files of a lease, which are at an address that the lease names.

A vCenter names the ESXi host that has the files. Its certificate is rarely of an authority that this service
trusts: the lease has its thumbprint, which came over the verified connection to vCenter.
"""

import hashlib
import http.client
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import NoReturn
from urllib.parse import urlsplit

import msgspec

from simplestack import (
    CHUNK_BYTES,
    HttpsConnection,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    Target,
    time_left_seconds,
)
from simplestack.appliances import Source
from simplestack_vmware.settings import VmwareSettings

#: What a lease names instead of the host that the client is connected to.
_SAME_HOST = "*"
_VMDK = "application/x-vnd.vmware-streamVmdk"
_PATH = re.compile(r"/[!-~]*")
#: By the number of digits of a thumbprint. Leases have SHA-1; other APIs of vSphere have come to SHA-256.
_HASHES = {40: "sha1", 64: "sha256"}
#: How long a host may take to store the last of a file.
_LAST_SECONDS = 600.0
_SUCCESS = (http.client.OK, http.client.CREATED, http.client.NO_CONTENT)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileAddress:
    """Where a file of a lease is."""

    target: Target
    path: str
    #: Digits of the thumbprint of its certificate; empty where the settings say which to trust.
    thumbprint: str


def address_of(url: str, thumbprint: str, host: Target, settings: VmwareSettings) -> FileAddress:
    """Return the address in a URL of a lease, if this service may connect to it.

    :param host: the host that gave the lease
    :raises HostNotAllowed: the settings do not allow the host of the file
    :raises HypervisorError: it is no address of a file
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _wrong_address() from None
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    if parts.scheme != "https" or not _PATH.fullmatch(path):
        raise _wrong_address()
    if parts.hostname == _SAME_HOST and "@" not in parts.netloc:
        target = replace(host, port=port or host.port or settings.port)
    else:
        named = host.elsewhere(parts.netloc)
        target = replace(named, port=named.port or http.client.HTTPS_PORT)
    digits = thumbprint.replace(":", "").lower()
    if digits and len(digits) not in _HASHES:
        raise HypervisorError("vSphere names a certificate for a transfer by a thumbprint of unknown kind")
    return FileAddress(target=target, path=path, thumbprint=digits)


def _connected(address: FileAddress, settings: VmwareSettings) -> HttpsConnection:
    """Connect to the host of a file. Its certificate is the one that the lease names.

    :raises HypervisorUnavailable: the host cannot be reached, or has another certificate
    """
    if not address.thumbprint:
        connection = HttpsConnection(address.target, settings)
        connection.connect()
        return connection
    # Nothing is sent before the certificate is compared.
    unverified = msgspec.structs.replace(settings, tls_verify=False, tls_fingerprint=None)
    connection = HttpsConnection(address.target, unverified)
    connection.connect()
    certificate = connection.tls.getpeercert(binary_form=True) or b""
    kind = _HASHES[len(address.thumbprint)]
    if hashlib.new(kind, certificate, usedforsecurity=False).hexdigest() != address.thumbprint:
        connection.close()
        raise HypervisorUnavailable(
            f"{address.target}: its certificate is not the one that vSphere names for the transfer"
        )
    return connection


class Download:
    """A file that is being received."""

    def __init__(self, address: FileAddress, settings: VmwareSettings) -> None:
        """Ask for the file, and wait until the host begins to send it.

        :raises HypervisorUnavailable: the host cannot be reached, or has another certificate
        :raises HypervisorError: the host does not send the file
        """
        self._limit_seconds = settings.call_timeout_seconds
        self._connection = _connected(address, settings)
        #: How much has been received.
        self.size_bytes = 0
        try:
            self._patient()
            self._connection.request("GET", address.path, headers={"Accept": _VMDK})
            self._response = self._connection.getresponse()
            _require_success(self._response, address.target)
        except (OSError, http.client.HTTPException) as error:
            self._broken(error)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[bytes]:
        """Yield the file in pieces.

        :raises HypervisorTimeout: the host sends nothing for too long
        :raises HypervisorUnavailable: the connection broke
        """
        while True:
            try:
                self._patient()
                piece = self._response.read(CHUNK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                self._broken(error)
            if not piece:
                return
            self.size_bytes += len(piece)
            yield piece

    def close(self) -> None:
        """Close the connection, also in the middle of the file."""
        self._connection.close()

    def _patient(self) -> None:
        self._connection.set_deadline(time.monotonic() + self._limit_seconds)

    def _broken(self, error: Exception) -> NoReturn:
        self.close()
        target = self._connection.target
        if isinstance(error, TimeoutError):
            raise HypervisorTimeout(
                f"{target} sent nothing of a file for {self._limit_seconds:.3g} s"
            ) from None
        raise HypervisorUnavailable(f"{target} broke off a file: {HttpsConnection.cause_of(error)}") from None


class RejectedUploadError(Exception):
    """The host has rejected a file, or closed the connection: the lease says why."""


def upload_disk(address: FileAddress, settings: VmwareSettings, file: Source, size_bytes: int | None) -> None:
    """Send the image of a disk, which vSphere has created, to its end.

    :param size_bytes: None if unknown
    :raises: as `upload_file`
    """
    _upload(address, settings, file, size_bytes, method="POST", headers={"Content-Type": _VMDK})


def upload_file(address: FileAddress, settings: VmwareSettings, file: Source, size_bytes: int | None) -> None:
    """Send a file that is no disk to its end. vSphere takes it by ``PUT`` alone, as a new file.

    :param size_bytes: None if unknown
    :raises RejectedUploadError: the host does not take it
    :raises HypervisorTimeout: the host takes nothing for too long
    :raises HypervisorUnavailable: the host cannot be reached, or has another certificate
    """
    headers = {"Content-Type": "application/octet-stream", "Overwrite": "t"}
    _upload(address, settings, file, size_bytes, method="PUT", headers=headers)


def _upload(
    address: FileAddress,
    settings: VmwareSettings,
    file: Source,
    size_bytes: int | None,
    *,
    method: str,
    headers: Mapping[str, str],
) -> None:
    connection = _connected(address, settings)
    limit_seconds = settings.call_timeout_seconds
    try:
        with _sending(connection, limit_seconds):
            connection.putrequest(method, address.path, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            if size_bytes is None:
                connection.putheader("Transfer-Encoding", "chunked")
            else:
                connection.putheader("Content-Length", str(size_bytes))
            connection.endheaders()
        while piece := file.read(CHUNK_BYTES):
            with _sending(connection, limit_seconds):
                if size_bytes is None:
                    piece = b"%x\r\n%b\r\n" % (len(piece), piece)
                connection.send(piece)
        with _sending(connection, max(limit_seconds, min(_LAST_SECONDS, time_left_seconds()))):
            if size_bytes is None:
                connection.send(b"0\r\n\r\n")
            response = connection.getresponse()
            if response.status not in _SUCCESS:
                raise RejectedUploadError(f"HTTP status {response.status}")
    finally:
        connection.close()


@contextmanager
def _sending(connection: HttpsConnection, limit_seconds: float) -> Iterator[None]:
    connection.set_deadline(time.monotonic() + limit_seconds)
    try:
        yield
    except TimeoutError:
        raise HypervisorTimeout(
            f"{connection.target} took nothing of a file for {limit_seconds:.3g} s"
        ) from None
    except (OSError, http.client.HTTPException) as error:
        raise RejectedUploadError(HttpsConnection.cause_of(error)) from None


def _require_success(response: http.client.HTTPResponse, target: Target) -> None:
    if response.status != http.client.OK:
        raise HypervisorError(f"{target} does not send a file: it returns HTTP status {response.status}")


def _wrong_address() -> HypervisorError:
    return HypervisorError("vSphere names an address for a transfer that is not one of HTTPS")
