"""Encode JSON responses. They end with a newline, so that a shell prompt starts on a new line."""

from typing import Any

from msgspec import json

from simplestack.entities.plain import plain

_encode_lines = json.Encoder(enc_hook=plain).encode_lines


def json_text(content: Any) -> bytes:
    """Return a JSON response body."""
    return _encode_lines((content,))  # it adds the newline without copying a long list
