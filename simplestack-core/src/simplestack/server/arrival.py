"""Detect when enough of a request has arrived to give it to a thread.

A thread that reads a request waits for its client. So the main loop collects the bytes, and gives the request
to a thread when its header and its body have arrived, or the first part of a large body. This module only
counts bytes: gunicorn's parser checks them, and gets a request at once that looks malformed here.
"""

import re

#: Maximum size of a request's header. Other proxies and servers accept 8 to 32 KiB.
MAX_HEAD_BYTES = 64 * 1024
#: Maximum part of a body that the main loop collects.
GATHERED_BODY_BYTES = 64 * 1024
#: gunicorn's limit for the request line, and for the line before a chunk.
_MAX_LINE_BYTES = 8190
_END_OF_LINE, _END_OF_HEAD = b"\r\n", b"\r\n\r\n"
#: An empty line before it is allowed: RFC 9112 section 2.2.
_REQUEST_LINE = re.compile(rb"(?:\r\n)?[^ \r\n]+ [^ \r\n]+ HTTP/([0-9]\.[0-9])\r\n")
_BARE_LINE_FEED = re.compile(rb"(?<!\r)\n")
_FRAMING = re.compile(rb"(?i)\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)")
_LENGTH = re.compile(rb"[0-9]{1,18}[ \t]*")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?")


class HeadTooLarge(Exception):
    """The header of a request has more than `MAX_HEAD_BYTES` bytes."""


class Arrival:
    """A request that is being received."""

    __slots__ = ("_body_start", "_next_chunk", "_scanned", "_wanted", "expects_continue")

    def __init__(self) -> None:
        #: Whether the client waits for ``100 Continue`` before it sends the body.
        self.expects_continue = False
        self._scanned = 0
        #: Where the body begins; None until the head is complete.
        self._body_start: int | None = None
        #: How many bytes are enough; None while that is unknown.
        self._wanted: int | None = None
        #: Where the next chunk of a chunked body begins.
        self._next_chunk: int | None = None

    @property
    def has_head(self) -> bool:
        """Whether the header is complete."""
        return self._body_start is not None

    def is_enough(self, arrived: bytearray) -> bool:
        """Return whether a thread can start to process the request.

        :param arrived: all bytes of the request so far
        :raises HeadTooLarge: the header is too long
        """
        if self._body_start is None:
            end = arrived.find(_END_OF_HEAD, max(0, self._scanned - len(_END_OF_HEAD) + 1))
            if (len(arrived) if end < 0 else end) > MAX_HEAD_BYTES:
                raise HeadTooLarge
            if end < 0:
                return self._looks_malformed(arrived)
            self._body_start = self._wanted = end + len(_END_OF_HEAD)
            self._read_framing(arrived, self._body_start)
        if self._wanted is None:
            self._follow_chunks(arrived, self._body_start)
        return self._wanted is not None and len(arrived) >= self._wanted

    def _looks_malformed(self, arrived: bytearray) -> bool:
        """Return whether gunicorn's parser would reject this incomplete header."""
        begin, self._scanned = self._scanned, len(arrived)
        if _BARE_LINE_FEED.search(arrived, begin):
            return True
        line_end = arrived.find(_END_OF_LINE, 1, len(_END_OF_LINE) + _MAX_LINE_BYTES + len(_END_OF_LINE))
        if line_end < 0:
            return len(arrived) > len(_END_OF_LINE) + _MAX_LINE_BYTES
        return not _REQUEST_LINE.match(arrived)

    def _read_framing(self, arrived: bytearray, body_start: int) -> None:
        """Read the length of the body. A contradictory header counts as one without a body."""
        framing = _FRAMING.findall(arrived, 0, body_start - len(_END_OF_HEAD))
        if not framing:
            return
        fields = {name.lower(): value for name, value in framing}
        lengths = fields.keys() & {b"content-length", b"transfer-encoding"}
        if len(fields) < len(framing) or len(lengths) != 1:
            return
        if b"transfer-encoding" in fields:
            self._next_chunk, self._wanted = body_start, None
        elif _LENGTH.fullmatch(fields[b"content-length"]):
            self._wanted = body_start + min(int(fields[b"content-length"]), GATHERED_BODY_BYTES)
        line = _REQUEST_LINE.match(arrived)
        # Not for HTTP/1.0 clients: RFC 9110 section 10.1.1.
        self.expects_continue = (
            fields.get(b"expect", b"").strip().lower() == b"100-continue"
            and line is not None
            and line[1] == b"1.1"
        )

    def _follow_chunks(self, arrived: bytearray, body_start: int) -> None:
        enough = body_start + GATHERED_BODY_BYTES
        position = self._next_chunk or body_start
        while position < enough:
            end = arrived.find(_END_OF_LINE, position, position + _MAX_LINE_BYTES)
            if end < 0 and len(arrived) - position < _MAX_LINE_BYTES:
                break
            size = _CHUNK_SIZE.fullmatch(arrived, position, end) if end >= 0 else None
            if size is None:
                self._wanted = 0  # malformed
                break
            if int(size[1], 16) == 0:
                # After the last chunk come trailers and a blank line.
                last = arrived.find(_END_OF_HEAD, end)
                if last >= 0:
                    self._wanted = last + len(_END_OF_HEAD)
                break
            position = end + len(_END_OF_LINE) + int(size[1], 16) + len(_END_OF_LINE)
        self._next_chunk = position
        if self._wanted is None and len(arrived) >= enough:
            self._wanted = enough
