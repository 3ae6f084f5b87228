"""JSON as responses have it: it ends with a newline, so that a shell's prompt starts on a line of its own."""

from typing import Any

from msgspec import json

from simplestack.entities.plain import plain

_encode_lines = json.Encoder(enc_hook=plain).encode_lines


def json_text(content: Any) -> bytes:
    """Return the body of a response in JSON."""
    return _encode_lines((content,))  # which adds the newline in place: a long list is not copied for it
