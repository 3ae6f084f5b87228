import re

import pytest

from simplestack.entities.limits import CONTROL_CHARACTER, NAME_PATTERN


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1f", "\x7f"])
def test_a_control_character_is_found_and_is_in_no_name(character: str) -> None:
    assert CONTROL_CHARACTER.search(f"a{character}b")
    assert not re.search(NAME_PATTERN, f"a{character}b")


@pytest.mark.parametrize("text", ["a b", "~", "\x80", "ä", "\u2028"])
def test_other_characters_are_none(text: str) -> None:
    assert not CONTROL_CHARACTER.search(text)
    assert re.search(NAME_PATTERN, text)
