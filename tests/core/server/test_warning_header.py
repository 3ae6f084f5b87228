"""The header with warnings is limited in length, and clients can decode all of it."""

from urllib.parse import unquote

import pytest

from simplestack.server.warning_header import warning_header

REST = "... (the audit log has the rest)"


@pytest.mark.parametrize("character", ["x", "%", "é", "本", "😀"])
@pytest.mark.parametrize("before", ["", "x", "xx", "é", "100% "])
def test_a_long_warning_is_cut_between_two_characters(before: str, character: str) -> None:
    warning = before + 4000 * character
    header = warning_header([warning])
    assert 2985 < len(header) - len(REST) <= 3000
    text = unquote(header, errors="strict")
    assert text.endswith(REST)
    assert warning.startswith(text.removesuffix(REST))
