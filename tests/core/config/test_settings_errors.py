"""Errors about settings: what a setting accepts, in the words of its type."""

from typing import Annotated, Any, Literal

import msgspec
import pytest
from msgspec import Meta, Struct

from simplestack import AbsolutePath, HypervisorSettings, SettingsError

Zone = Annotated[str, Meta(pattern="^[a-z]+$", extra={"words": "a zone such as `eu`"})]


class _Tree(Struct):
    zone: Zone | None = None
    children: "list[_Tree]" = []


class _Settings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ca_file: AbsolutePath = "/etc/ssl/ca.pem"
    zones: dict[Zone, list[Zone]] | None = None
    tree: _Tree | None = None
    mode: Literal["off", "on", 1] | None = None
    code: Annotated[str, Meta(pattern="^[0-9]+$")] = "0"


def test_a_setting_may_be_an_absolute_path() -> None:
    assert msgspec.convert({"ca_file": "/srv/ca 1.pem"}, _Settings).ca_file == "/srv/ca 1.pem"


def message_of(settings: dict[str, Any]) -> str:
    with pytest.raises(msgspec.ValidationError) as raised:
        msgspec.convert(settings, _Settings)
    return str(SettingsError.of(raised.value, "hypervisors.xen", _Settings))


@pytest.mark.parametrize("path", ["", "/", "ca.pem", "./ca.pem", "~/ca.pem", "/ca\n.pem", "/ca.pem\n"])
def test_a_path_that_is_not_absolute_is_an_error_in_words(path: str) -> None:
    assert message_of({"ca_file": path}) == (
        "hypervisors.xen.ca_file: expected an absolute path without control characters, "
        "such as `/etc/ssl/ca.pem`"
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"zones": {"eu": ["eu", "1"]}}, "zones[...][1]: expected a zone such as `eu`"),
        ({"tree": {"children": [{"zone": "1"}]}}, "tree.children[0].zone: expected a zone such as `eu`"),
        ({"mode": "lax"}, "mode: 'lax' is not known: use off, on, 1"),
        ({"code": "a"}, "code: expected text in the form that the plugin's documentation describes"),
        ({"zones": 1}, "zones: expected a table, got a whole number"),
    ],
    ids=str,
)
def test_the_words_come_from_the_types_of_the_plugin(settings: dict[str, Any], message: str) -> None:
    assert message_of(settings) == f"hypervisors.xen.{message}"
