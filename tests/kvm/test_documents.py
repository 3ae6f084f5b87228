import pytest

from simplestack import HypervisorError
from simplestack_kvm.libvirtd.connection.documents import parse_document


def test_an_error_says_whose_document_it_is() -> None:
    with pytest.raises(HypervisorError, match=r"^libvirt's XML is not well-formed"):
        parse_document("<domain>")


def test_a_document_type_is_an_error() -> None:
    with pytest.raises(HypervisorError, match="document type"):
        parse_document("<!DOCTYPE x [<!ENTITY e 'boom'>]><domain>&e;</domain>")
