"""XML that libvirt sends, read without document types: no entity can be defined, let alone expanded."""

import xml.etree.ElementTree as ET

from simplestack import HypervisorError


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        del name, public_id, system_id
        raise HypervisorError("libvirt sent XML with a document type, which it never does; that is not read")


def parse_document(text: str) -> ET.Element:
    """Parse a description of a domain, a network, a pool, ...

    :raises HypervisorError: it has a document type, or is no XML
    """
    try:
        return ET.fromstring(text, ET.XMLParser(target=_NoDoctype()))  # noqa: S314  see _NoDoctype
    except ET.ParseError as error:
        raise HypervisorError(f"libvirt sent something that is no XML: {error}") from None
