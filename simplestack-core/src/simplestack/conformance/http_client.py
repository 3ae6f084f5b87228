"""The client for HTTP. It checks status, headers and format of every response."""

import base64
import json
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import urllib3

from simplestack.conformance.client import Client, Upload
from simplestack.conformance.error_responses import NOT_IMPLEMENTED, STATUSES, ErrorResponse
from simplestack.conformance.marks import ROWS
from simplestack.conformance.options import Options
from simplestack.entities.transfer import CHUNK_BYTES
from simplestack.operations.model import Operation

TIMEOUT_SECONDS = 180


@dataclass
class Response:
    """A response."""

    status: int
    headers: urllib3.HTTPHeaderDict
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        assert self.body.endswith(b"\n"), f"a JSON response does not end with a newline: {self}"
        return json.loads(self.body)

    def error(self, operation: str) -> ErrorResponse:
        """Return the error, and check its format."""
        assert self.headers.get("content-type") == "application/json", f"an error of {operation}: {self}"
        body = self.json
        name, message = body.pop("error"), body.pop("message")
        assert STATUSES.get(name) == self.status, f"{operation}: {name} came with status {self.status}"
        assert isinstance(message, str), f"{operation}: the message of {name} is {message!r}"
        assert body.pop("request_id") == self.headers.get("x-request-id"), f"the request_id of {operation}"
        if name in ("Busy", "HypervisorUnavailable"):
            assert self.headers.get("retry-after", "").isdigit(), f"{operation}: {name} without Retry-After"
        return ErrorResponse(operation, name, message, body)


class HttpClient(Client):
    """Sends requests to a running service."""

    way = "http"

    def __init__(self, options: Options, url: str, password: str, made: Callable[[str], object]) -> None:
        super().__init__(made)
        self._options = options
        self._url = url
        #: The base path of the host.
        self.base = f"/{options.hypervisor}/{quote(options.host, safe=':')}"
        token = base64.b64encode(f"{options.username}:{password}".encode()).decode()
        self.headers = {"X-Simplestack-Hypervisor-Token": token}
        self._pool = urllib3.PoolManager(maxsize=16, retries=False, timeout=TIMEOUT_SECONDS)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Send a request to a path below the service's root.

        :param body: bytes or an iterator of bytes; anything else is encoded as JSON
        """
        sent = dict(self.headers)
        if body is not None and not isinstance(body, bytes | Iterator):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        response = self._pool.request(method, self._url + path, body=body, headers=sent | (headers or {}))
        return Response(response.status, response.headers, response.data)

    def send_and_go_away(self, path: str, body: Iterator[bytes], headers: dict[str, str]) -> bytes:
        """Send less than was announced, close the sending side, and return the start of the response."""
        host, _, port = self._url.removeprefix("http://").partition(":")
        head = "".join(f"{name}: {value}\r\n" for name, value in (self.headers | headers).items())
        with socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS) as connection:
            connection.sendall(f"POST {path} HTTP/1.1\r\nHost: kit\r\n{head}\r\n".encode())
            for chunk in body:
                connection.sendall(chunk)
            connection.shutdown(socket.SHUT_WR)
            beginning = connection.recv(12)
            while connection.recv(65536):
                continue
        return beginning

    def below(self, row: Operation, ids: dict[str, str]) -> str:
        """Return the path of an operation."""
        quoted = {name: quote(value, safe="") for name, value in ids.items()}
        return self.base + row.path.format_map(quoted)

    def perform(self, row: Operation, ids: dict[str, str], body: Any) -> Any:
        """Send the request, and check the status, Location and Content-Type of the response."""
        response = self.send(row.method, self.below(row, ids), body)
        return self._result(row, ids, body, response)

    def perform_import(self, row: Operation, upload: Upload) -> Any:
        """Upload the file, with its length or chunked."""
        ids = {} if upload.storage_id is None else {"storage_id": upload.storage_id}
        headers = {"Content-Type": "application/octet-stream"}
        if not upload.is_chunked:
            headers["Content-Length"] = str(upload.file.stat().st_size)
        path = self.below(row, ids)
        if upload.description:
            texts = {
                name: str(value).lower() if isinstance(value, bool) else value
                for name, value in upload.description.items()
            }
            path += f"?{urlencode(texts, doseq=True)}"
        response = self.send(row.method, path, _chunks(upload.file), headers)
        return self._result(row, ids, None, response)

    def export(self, guest_id: str, file: Path) -> int:
        """Download an export to the file."""
        row = ROWS["guest_export"]
        url = self._url + self.below(row, {"guest_id": guest_id})
        response = self._pool.request("GET", url, headers=self.headers, preload_content=False)
        try:
            if response.status != row.status:
                raise Response(response.status, response.headers, response.data).error(row.name)
            assert response.headers.get("content-type") == "application/octet-stream"
            written = 0
            with file.open("wb") as target:
                for chunk in response.stream(CHUNK_BYTES):
                    written += target.write(chunk)
        finally:
            response.release_conn()
        assert response.headers.get("content-length") in (None, str(written))
        return written

    def with_password(self, password: str) -> Client:
        """Return a client with another token."""
        return HttpClient(self._options, self._url, password, self._made)

    def busy_sessions(self) -> int:
        """Return the number from the service's health report."""
        return int(self.send("GET", "/healthz").json["busy_sessions"])

    def _result(self, row: Operation, ids: dict[str, str], body: Any, response: Response) -> Any:
        if response.status >= 400:
            raise response.error(row.name)
        assert response.status == row.status, f"{row.name} returned {response.status}, not {row.status}"
        assert response.headers.get("x-request-id"), f"the response of {row.name} has no X-Request-Id"
        if row.status == 204:
            assert response.body == b"", f"the 204 of {row.name} has a body: {response.body[:200]!r}"
            return None
        assert response.headers.get("content-type") == "application/json", (
            f"the label of {row.name}'s response"
        )
        result = response.json
        if row.location is not None:
            self._follow(row, ids, body, response, result)
        if row.result is None:
            action = body["state"] if row.name == "power_guest" else "reboot"
            assert result == {"action": action, "message": "ok"}, f"{row.name} returned {result}"
            return None
        return result

    def _follow(
        self, row: Operation, ids: dict[str, str], body: Any, response: Response, result: Any
    ) -> None:
        """Check that the Location leads to the new entity."""
        named = {"name": body["name"]} if isinstance(result, list) else {"id": result["id"]}
        parts = {name: quote(value, safe=":") for name, value in (ids | named).items()}
        expected = self.base + (row.location or "").format_map(parts)
        location = response.headers.get("location")
        assert location == expected, f"the Location of {row.name} is {location}, expected {expected}"
        if isinstance(result, list):  # a tag cannot be shown alone
            return
        shown = self.send("GET", location)
        if shown.status == STATUSES[NOT_IMPLEMENTED]:
            return
        assert shown.status == 200, f"GET {location}, the Location of {row.name}, returned {shown}"
        assert shown.json["id"] == result["id"], f"the Location of {row.name} leads to {shown.json}"


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            yield chunk
