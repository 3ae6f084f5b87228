"""XML from a hypervisor, or from whoever answers in its place."""

import pytest

from simplestack import HypervisorError, parse_xml

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
EXTERNAL = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, "<!DOCTYPE x><x/>"])
def test_a_document_type_is_an_error(text: str) -> None:
    message = "^the host's XML has a document type declaration, which is not accepted$"
    with pytest.raises(HypervisorError, match=message):
        parse_xml(text, "the host's XML")


@pytest.mark.parametrize("text", ["", "<x>", "not xml", "<x>&undefined;</x>"])
def test_what_is_no_xml_is_the_hypervisors_error(text: str) -> None:
    with pytest.raises(HypervisorError, match=r"^the host's XML is not well-formed: .*line 1"):
        parse_xml(text, "the host's XML")


def test_a_plain_document_is_read() -> None:
    assert parse_xml("<x><y>1 &amp; 2</y></x>", "the host's XML").findtext("y") == "1 & 2"
