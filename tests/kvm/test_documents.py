"""XML from libvirt, or from whoever answers in its place."""

import pytest

from simplestack import HypervisorError
from simplestack_kvm.documents import parse_document

LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><x>&b;</x>'
EXTERNAL = '<!DOCTYPE x SYSTEM "file:///etc/passwd"><x/>'


@pytest.mark.parametrize("text", [LAUGHS, EXTERNAL, "<!DOCTYPE x><x/>"])
def test_a_document_type_is_refused(text: str) -> None:
    with pytest.raises(HypervisorError, match="document type"):
        parse_document(text)


@pytest.mark.parametrize("text", ["", "<x>", "not xml", "<x>&undefined;</x>"])
def test_what_is_no_xml_is_the_hypervisors_error(text: str) -> None:
    with pytest.raises(HypervisorError, match="no XML"):
        parse_document(text)


def test_a_plain_document_is_read() -> None:
    assert parse_document("<x><y>1 &amp; 2</y></x>").findtext("y") == "1 & 2"
