"""A small HTTP client for asyncio: cheap enough to share two cores with the service that it loads."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_HEAD_END = b"\r\n\r\n"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Unanswered(Exception):
    """A request got no complete response. The text is the reason, a word or two for tables."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is something else."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Client:
    """Sends requests to one service, on kept connections or on new ones."""

    def __init__(self, address: tuple[str, int], headers: Mapping[str, str], timeout_seconds: float) -> None:
        """Connect to nothing yet.

        :param headers: sent with each request
        :param timeout_seconds: from the first attempt to connect to the end of the response
        """
        self._address = address
        host, port = address
        lines = {"Host": f"{host}:{port}", **headers}
        self._fixed = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._timeout_seconds = timeout_seconds
        self._kept: list[Streams] = []

    async def send(self, method: str, path: str, body: Any = None, *, anew: bool = False) -> Response:
        """Send a request, with a body of JSON if there is one.

        :param anew: on a connection of its own, in place of one that is kept
        :raises Unanswered: there is no response, or not all of it
        """
        streams = None if anew else self._take_kept()
        is_reused = streams is not None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                if streams is None:
                    streams = await asyncio.open_connection(*self._address)
                reader, writer = streams
                writer.write(self._written(method, path, body))
                response, is_kept = await _read_response(reader)
        except TimeoutError:
            _abort(streams)
            raise Unanswered("time-out") from None
        except ConnectionRefusedError:
            raise Unanswered("connection refused") from None
        except asyncio.IncompleteReadError as error:
            _abort(streams)
            is_stale = is_reused and not error.partial
            raise Unanswered("kept connection closed" if is_stale else "connection closed") from None
        except OSError:
            _abort(streams)
            raise Unanswered("connection reset") from None
        except (ValueError, LookupError, asyncio.LimitOverrunError):
            _abort(streams)
            raise Unanswered("malformed response") from None
        except BaseException:
            _abort(streams)
            raise
        if is_kept and not anew:
            self._kept.append(streams)
        else:
            writer.close()
        return response

    def close(self) -> None:
        """Close the connections that are kept."""
        while self._kept:
            _abort(self._kept.pop())

    def head(self, method: str, path: str) -> bytes:
        """Return the head of a request without a body."""
        return f"{method} {path} HTTP/1.1\r\n{self._fixed}\r\n".encode()

    def _written(self, method: str, path: str, body: Any) -> bytes:
        if body is None:
            return self.head(method, path)
        content = json.dumps(body).encode()
        more = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._fixed}{more}\r\n".encode() + content

    def _take_kept(self) -> Streams | None:
        """Return a kept connection that the service has not closed, the last that was used first."""
        while self._kept:
            reader, writer = self._kept.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            _abort((reader, writer))
        return None


async def _read_response(reader: asyncio.StreamReader) -> tuple[Response, bool]:
    """Return a response, and whether the connection can be used again."""
    head = await reader.readuntil(_HEAD_END)
    status_line, *lines = head[: -len(_HEAD_END)].decode("latin-1").split("\r\n")
    status = int(status_line.split(" ", 2)[1])
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    if status == 204:
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers["content-length"]))
    return Response(status, headers, body), headers.get("connection", "").lower() != "close"


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readexactly(2)
    return b"".join(parts)


def _abort(streams: Streams | None) -> None:
    if streams is not None:
        with contextlib.suppress(OSError):
            streams[1].transport.abort()
