import re

import pytest

from simplestack import NetworkInterfaceCreate
from simplestack.entities.limits import CONTROL_CHARACTER, NAME_PATTERN


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1f", "\x7f"])
def test_a_control_character_is_found_and_is_in_no_name(character: str) -> None:
    assert CONTROL_CHARACTER.search(f"a{character}b")
    assert not re.search(NAME_PATTERN, f"a{character}b")


@pytest.mark.parametrize("text", ["a b", "~", "\x80", "ä", "\u2028"])
def test_other_characters_are_none(text: str) -> None:
    assert not CONTROL_CHARACTER.search(text)
    assert re.search(NAME_PATTERN, text)


@pytest.mark.parametrize("mac", ["01:00:5e:00:00:01", "0F:00:00:00:00:00", "00:00:00:00:00:00"])
def test_scripts_cannot_choose_an_address_that_no_interface_may_have(mac: str) -> None:
    with pytest.raises(ValueError, match=f"`mac` is .*{mac}"):
        NetworkInterfaceCreate(network="lan", mac=mac)


@pytest.mark.parametrize("mac", [None, "02:00:00:00:00:00", "aE:00:00:00:00:00", "00:00:00:00:00:01"])
def test_they_can_choose_a_unicast_address_or_none(mac: str | None) -> None:
    assert NetworkInterfaceCreate(network="lan", mac=mac).mac == mac
