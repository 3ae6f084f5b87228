"""Names as vSphere stores them, IDs in URLs, and tags in notes."""

import pytest

from simplestack_vmware.vsphere.guests.annotations import tags_in, with_tag, without_tag
from simplestack_vmware.vsphere.inventory.ids import from_url, to_url
from simplestack_vmware.vsphere.inventory.names import decoded, encoded


@pytest.mark.parametrize(
    ("name", "stored"),
    [("a/b", "a%2fb"), ("\\", "%5c"), ("100%", "100%25"), ("%2f", "%252f"), ("web", "web")],
)
def test_names_are_stored_with_escapes(name: str, stored: str) -> None:
    assert encoded(name) == stored
    assert decoded(stored) == name
    assert decoded(stored.replace("%2f", "%2F")) == name


def test_escapes_that_vsphere_does_not_have_are_shown_as_they_are() -> None:
    assert decoded("50%, %41 and %") == "50%, %41 and %"


@pytest.mark.parametrize(
    ("moid", "id_"),
    [
        ("network-12", "network-12"),
        ("HaNetwork-VM Network", "HaNetwork-VM~20Network"),
        ("10.0.0.1:/x~y%2f", "10.0.0.1~3A~2Fx~7Ey~252f"),
        ("ü", "~C3~BC"),
    ],
)
def test_managed_object_ids_are_safe_in_urls(moid: str, id_: str) -> None:
    assert to_url(moid) == id_
    assert from_url(id_) == moid


NOTES = "Owner: Jane\r\n\r\nDo not delete!\n  web  \nblue"


def test_each_line_of_the_notes_is_a_tag_but_blank_ones() -> None:
    assert tags_in(NOTES) == ["Do not delete!", "Owner: Jane", "blue", "web"]
    assert tags_in("") == tags_in("\n \r\n") == []
    assert tags_in("a\x0bb\u2028c") == ["a\x0bb\u2028c"]


@pytest.mark.parametrize("notes", ["", NOTES, "one line", "ends with a break\n", "\r\n\r\n", "\n"])
@pytest.mark.parametrize("tag", ["green", "ü <&>"])
def test_a_tag_that_comes_and_goes_leaves_the_notes_as_they_were(notes: str, tag: str) -> None:
    tagged = with_tag(notes, tag)
    assert tagged.startswith(notes)
    assert tag in tags_in(tagged)
    assert with_tag(tagged, tag) == tagged
    assert without_tag(tagged, tag) == notes


def test_removing_a_tag_touches_no_other_line() -> None:
    assert without_tag(NOTES, "web") == "Owner: Jane\r\n\r\nDo not delete!\nblue"
    assert without_tag(NOTES, "blue") == "Owner: Jane\r\n\r\nDo not delete!\n  web  "
    assert without_tag("web\nx\nweb\n", "web") == "x\n"
    assert without_tag("web-2\nweb\nmy web", "web") == "web-2\nmy web"
    assert without_tag("web", "web") == ""
    assert without_tag("web\n", "web") == ""
