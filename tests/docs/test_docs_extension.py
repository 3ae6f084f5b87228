"""How the site puts the sources into words."""

from typing import Annotated, Any

import msgspec
import pytest
from docutils import nodes

from simplestack import HypervisorSettings, TlsSettings
from simplestack_docs.prose import inline, paragraphs
from simplestack_docs.schemas import kind
from simplestack_docs.settings import settings_of


class LabSettings(HypervisorSettings, frozen=True, kw_only=True):
    #: Where the lab is,
    #: as ``host`` names it.
    address: str = "lab"
    #: Names of benches.
    benches: list[str] = []  # noqa: RUF012  msgspec gives each its own copy
    #: A file.
    log: str | None = None


class RemoteSettings(TlsSettings, frozen=True, kw_only=True):
    #: Names of benches.
    benches: list[str] = []  # noqa: RUF012  msgspec gives each its own copy


class SilentSettings(HypervisorSettings, frozen=True, kw_only=True):
    volume: int = 11


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (int, "integer"),
        (Annotated[int, msgspec.Meta(ge=1, le=4094)], "integer, 1 to 4,094"),
        (Annotated[float, msgspec.Meta(gt=0, le=1024)] | None, "number, above 0, at most 1,024, or `null`"),
        (Annotated[str, msgspec.Meta(min_length=1, max_length=255)], "string, 1 to 255 characters"),
        (list[dict[str, bool]], "list of object of boolean"),
        (Any, "any value"),
    ],
)
def test_a_type_and_its_limits_are_words(type_: Any, words: str) -> None:
    assert kind(msgspec.json.schema(type_)) == words


def test_a_plugins_settings_are_those_that_it_adds() -> None:
    assert list(settings_of(LabSettings)) == [
        ("address", '"lab"', "Where the lab is, as `host` names it."),
        ("benches", "[]", "Names of benches."),
        ("log", "", "A file."),
    ]


def test_a_plugins_settings_are_also_those_that_it_shares_with_some_others() -> None:
    names = [setting.name for setting in settings_of(RemoteSettings)]
    assert names == ["tls_verify", "tls_ca_file", "tls_fingerprint", "benches"]


def test_a_setting_without_a_comment_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"SilentSettings\.volume has no"):
        list(settings_of(SilentSettings))


def test_code_in_a_text_becomes_a_link_where_there_is_something_to_link_to() -> None:
    def link(code: str) -> nodes.Node | None:
        return nodes.reference("", code, refid=code) if code == "Guest" else None

    found = inline("a `Guest` or a `goose`", link)
    assert [type(node) for node in found] == [nodes.Text, nodes.reference, nodes.Text, nodes.literal]
    assert "".join(node.astext() for node in found) == "a Guest or a goose"


def test_lines_with_dashes_are_a_list() -> None:
    first, second = paragraphs("Two things:\n\n- one\n- two `three`")
    assert first.astext() == "Two things:"
    assert isinstance(second, nodes.bullet_list)
    assert [item.astext() for item in second.children] == ["one", "two three"]
