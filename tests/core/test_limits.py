import re

import msgspec
import pytest

from simplestack import AbsolutePath, HypervisorSettings, SettingsError
from simplestack.entities.limits import CONTROL_CHARACTER, NAME_PATTERN


class _Settings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ca_file: AbsolutePath = "/etc/ssl/ca.pem"


@pytest.mark.parametrize("character", ["\0", "\t", "\n", "\x1f", "\x7f"])
def test_a_control_character_is_found_and_is_in_no_name(character: str) -> None:
    assert CONTROL_CHARACTER.search(f"a{character}b")
    assert not re.search(NAME_PATTERN, f"a{character}b")


@pytest.mark.parametrize("text", ["a b", "~", "\x80", "ä", "\u2028"])
def test_other_characters_are_none(text: str) -> None:
    assert not CONTROL_CHARACTER.search(text)
    assert re.search(NAME_PATTERN, text)


def test_a_setting_may_be_an_absolute_path() -> None:
    assert msgspec.convert({"ca_file": "/srv/ca 1.pem"}, _Settings).ca_file == "/srv/ca 1.pem"


@pytest.mark.parametrize("path", ["", "/", "ca.pem", "./ca.pem", "~/ca.pem", "/ca\n.pem", "/ca.pem\n"])
def test_another_path_is_an_error_in_words(path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert({"ca_file": path}, _Settings)
    assert str(SettingsError.of(raised.value, "hypervisors.xen", _Settings)) == (
        "hypervisors.xen.ca_file: expected an absolute path without control characters, "
        "such as `/etc/ssl/ca.pem`"
    )
