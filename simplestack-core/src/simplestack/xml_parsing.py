"""Parse XML from hypervisors. Document types are rejected, so XML cannot define entities."""

import xml.etree.ElementTree as ET

from simplestack.errors import HypervisorError


class _Doctype(Exception):
    """The document has a document type declaration."""


class _NoDoctype(ET.TreeBuilder):
    def doctype(self, name: str, public_id: str | None, system_id: str | None) -> None:
        del name, public_id, system_id
        raise _Doctype


def parse_xml(text: str, source: str) -> ET.Element:
    """Parse an XML document from a hypervisor and return its root element.

    :param source: what the document is, for messages, such as ``libvirt's XML``
    :raises HypervisorError: the document is not well-formed, or has a document type declaration
    """
    try:
        return ET.fromstring(text, ET.XMLParser(target=_NoDoctype()))  # noqa: S314  see _NoDoctype
    except ET.ParseError as error:
        raise HypervisorError(f"{source} is not well-formed: {error}") from None
    except _Doctype:
        raise HypervisorError(f"{source} has a document type declaration, which is not accepted") from None
