"""Which characters XML cannot contain."""

import contextlib
import xml.etree.ElementTree as ET

import pytest

from simplestack import forbidden_in_xml


@pytest.mark.parametrize(
    ("text", "character"),
    [
        ("a\x00b", "U+0000"),
        ("\x0b", "U+000B"),
        ("a\x1f\x01", "U+001F"),
        ("half \ud800", "U+D800"),
        ("\udfff", "U+DFFF"),
        ("a\ufffe", "U+FFFE"),
        ("\uffff", "U+FFFF"),
    ],
)
def test_the_first_character_that_xml_cannot_contain_is_named(text: str, character: str) -> None:
    assert forbidden_in_xml(text) == character


@pytest.mark.parametrize("text", ["", "\t\n\r ~", "\x7f\x85", "\ud7ff\ue000\ufffd", "\U00010000\U0010ffff"])
def test_all_other_text_is_fine(text: str) -> None:
    assert forbidden_in_xml(text) is None


def test_it_is_what_a_parser_rejects() -> None:
    for number in (*range(0x100), *range(0xD7F0, 0xE010), *range(0xFFF0, 0x10010), 0x10FFFF):
        parsed = None
        with contextlib.suppress(ET.ParseError):
            parsed = ET.fromstring(f"<a>&#{number};</a>")  # noqa: S314  the test's own
        assert (forbidden_in_xml(chr(number)) is None) == (parsed is not None), hex(number)
