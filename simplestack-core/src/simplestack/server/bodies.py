"""Read request bodies: JSON with a size limit, images as streams."""

from typing import TypeVar

import falcon
import msgspec
from msgspec import Struct

from simplestack.entities.transfer import CHUNK_BYTES
from simplestack.errors import InvalidArguments, PayloadTooLarge, SimplestackError
from simplestack.server.body_errors import body_fault, malformed_reason
from simplestack.server.json_loading import load_json
from simplestack.server.problems import HttpProblem

S = TypeVar("S", bound=Struct)

#: Signatures of image formats, with their offsets.
_MAGICS = ((257, b"ustar"), (0, b"QFI\xfb"), (0, b"\x1f\x8b"))
#: Number of bytes that includes all signatures.
SNIFF_BYTES = 512

_JSON_TYPES = ("application/json", "text/json")


class Upload:
    """The body of a request, read in pieces. It must have the length that the client announced."""

    def __init__(self, request: falcon.Request) -> None:
        self.size = request.content_length
        self._stream = request.env["wsgi.input"]
        self._is_chunked = "chunked" in request.env.get("HTTP_TRANSFER_ENCODING", "").lower()
        self._taken_bytes = 0
        self._peeked = b""
        self._failure: SimplestackError | None = None

    @property
    def is_empty(self) -> bool:
        """Whether the client announced no body."""
        return not self._is_chunked and not self.size

    def peek(self, size: int) -> bytes:
        """Return the next bytes without consuming them."""
        if len(self._peeked) < size:
            self._peeked += self._take(size - len(self._peeked))
        return self._peeked[:size]

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes, fewer only at the end.

        :raises InvalidArguments: the client disconnected, or sent fewer bytes than it had announced
        """
        if not self._peeked:
            return self._take(size)
        head, self._peeked = self._peeked[:size], self._peeked[size:]
        return head if len(head) == size else head + self._take(size - len(head))

    def _take(self, size: int) -> bytes:
        wanted = size if self._is_chunked else min(size, (self.size or 0) - self._taken_bytes)
        if wanted <= 0:
            return b""
        piece = self._receive(wanted)
        if len(piece) < wanted:
            parts = [piece]
            missing = wanted - len(piece)
            while missing and (piece := self._receive(min(missing, CHUNK_BYTES))):
                parts.append(piece)
                missing -= len(piece)
            piece = b"".join(parts)
        self._taken_bytes += len(piece)
        if len(piece) < wanted and not self._is_chunked:
            raise InvalidArguments(
                f"the body ended after {self._taken_bytes} of the {self.size} bytes "
                "that Content-Length announced"
            )
        return piece

    def _receive(self, size: int) -> bytes:
        if self._failure is not None:  # after a broken chunk the next read would return no error
            raise self._failure
        try:
            return self._stream.read(size)  # type: ignore[no-any-return]  # WSGI's input is untyped
        except SimplestackError as error:  # the client is too slow
            self._failure = error
            raise
        except Exception as error:  # the server's own errors for a broken chunk, or the socket's
            self._failure = InvalidArguments(f"the body broke off after {self._taken_bytes} bytes")
            raise self._failure from error


def upload_of(request: falcon.Request) -> Upload:
    """Return the request's body. Repeated calls return the same object, so peeked bytes are kept.

    :raises HttpProblem: the body has a Content-Encoding
    """
    upload: Upload | None = request.env.get("simplestack.upload")
    if upload is None:
        upload = request.env["simplestack.upload"] = Upload(request)
        if not upload.is_empty:
            _check_encoding(request)
    return upload


def read_json(request: falcon.Request, kind: type[S], *, required: bool, max_bytes: int) -> S:
    """Read and validate a JSON body.

    :raises InvalidArguments: the body is missing or malformed, or a field is invalid: the message names it
    :raises PayloadTooLarge: the body is larger than `max_bytes`
    """
    text = _read_all(upload_of(request), max_bytes)
    if not text.strip():
        if required:
            raise InvalidArguments(
                f"a JSON body is required; its fields: {', '.join(kind.__struct_encode_fields__)}"
            )
        text = b"{}"
    else:
        check_json_type(request)
    return decode_json(text, kind)


def discard_body(request: falcon.Request, max_bytes: int) -> None:
    """Read and ignore a body.

    :raises PayloadTooLarge: the body is larger than `max_bytes`
    """
    if request.env.get("CONTENT_LENGTH") or "HTTP_TRANSFER_ENCODING" in request.env:
        _read_all(upload_of(request), max_bytes)


def decode_json(text: bytes, kind: type[S]) -> S:
    """Decode a JSON object.

    :raises InvalidArguments: the message names the invalid field, its value and what to send
    """
    try:
        try:
            return _decode(text, kind)
        except msgspec.ValidationError:
            reason = body_fault(text, kind)
        except msgspec.DecodeError:
            reason = malformed_reason(text, kind)
    except UnicodeDecodeError:
        reason = "the body is not JSON: send it in UTF-8"
    except RecursionError:
        reason = "the body is nested too deeply: send JSON with fewer levels"
    # Not msgspec's message: it does not say what to send.
    raise InvalidArguments(reason)


def _decode(text: bytes, kind: type[S]) -> S:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        if "got `float`" not in str(error):
            raise
    # In JSON, 512.0 is an integer, too.
    msgspec.json.decode(text)  # rejects what Python's decoder accepts, such as numbers that are too large
    return msgspec.convert(load_json(text.decode()), kind, str_keys=True)


def check_json_type(request: falcon.Request) -> None:
    """Check that the Content-Type is JSON or missing.

    :raises HttpProblem: the Content-Type is another
    """
    if request.content_type is not None and not is_labelled_json(request):
        raise HttpProblem(
            415,
            f"Content-Type {request.content_type[:100]!r} is not JSON: send JSON, "
            "with Content-Type: application/json",
        )


def is_labelled_json(request: falcon.Request) -> bool:
    """Return whether the Content-Type is JSON."""
    label = (request.content_type or "").partition(";")[0].strip().lower()
    return label in _JSON_TYPES or label.endswith("+json")


def looks_like_image(head: bytes) -> bool:
    """Return whether a body starts like an image: tar, qcow2 or gzip."""
    return any(head[offset : offset + len(magic)] == magic for offset, magic in _MAGICS)


def _check_encoding(request: falcon.Request) -> None:
    """Reject a compressed body, which could be mistaken for an image.

    :raises HttpProblem: the Content-Encoding is not ``identity``, or the Transfer-Encoding is not ``chunked``
    """
    coding = request.env.get("HTTP_TRANSFER_ENCODING")
    if coding is not None and coding.strip().lower() != "chunked":
        raise HttpProblem(
            501,
            f"Transfer-Encoding {coding[:100]!r} is not supported: send Content-Length, or "
            "Transfer-Encoding: chunked alone",
        )
    encoding = request.env.get("HTTP_CONTENT_ENCODING", "")
    if any(coding.strip().lower() not in ("", "identity") for coding in encoding.split(",")):
        raise HttpProblem(
            415,
            f"Content-Encoding {encoding[:100]!r} is not supported: send the body unencoded, "
            "without Content-Encoding",
            {"Accept-Encoding": "identity"},
        )


def _read_all(upload: Upload, max_bytes: int) -> bytes:
    too_large = PayloadTooLarge(f"a JSON body may have at most {max_bytes} bytes")
    if upload.size is not None and upload.size > max_bytes:
        raise too_large
    text = upload.read(max_bytes + 1)
    if len(text) > max_bytes:
        raise too_large
    return text
