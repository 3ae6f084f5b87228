"""XML that libvirt sends."""

import xml.etree.ElementTree as ET

from simplestack import parse_xml


def parse_document(text: str) -> ET.Element:
    """Parse a description of a domain, a network, a pool, ...

    :raises HypervisorError: it has a document type, or is no XML
    """
    return parse_xml(text, "libvirt's XML")
