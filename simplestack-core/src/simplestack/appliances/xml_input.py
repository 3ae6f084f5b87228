"""Read XML of unknown origin: bounded, without document types, and with clear errors."""

import codecs
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from simplestack.errors import HypervisorError, InvalidArguments
from simplestack.xml_parsing import parse_xml

#: Descriptors with licences and VirtualBox's settings in them have some 100 KiB.
MAX_DESCRIPTOR_BYTES = 1024 * 1024
#: Larger than any size or count that makes sense, and short enough to be converted.
_MAX_DIGITS = 19
_DIGITS = re.compile(rf"[0-9]{{1,{_MAX_DIGITS}}}")
_MAX_TEXT = 4096


def parse_descriptor(document: bytes) -> ET.Element:
    """Parse an OVF descriptor.

    :raises InvalidArguments: it is too long, no XML, or has a document type declaration
    """
    text = descriptor_text(document)
    try:
        return parse_xml(text, "the OVF descriptor")
    except HypervisorError as error:
        raise InvalidArguments(error.message) from None


def descriptor_text(document: bytes) -> str:
    """Return the text of an OVF descriptor, which may be UTF-8 or UTF-16.

    :raises InvalidArguments: it is neither, or too long
    """
    if len(document) > MAX_DESCRIPTOR_BYTES:
        raise invalid(f"has more than {MAX_DESCRIPTOR_BYTES} bytes: remove what is not needed")
    is_utf_16 = document.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return document.decode("utf-16" if is_utf_16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise invalid("is neither UTF-8 nor UTF-16") from None


def invalid(what: str) -> InvalidArguments:
    """Return the error for a descriptor.

    :param what: completes a sentence that starts with "the OVF descriptor"
    """
    return InvalidArguments(f"the OVF descriptor {what}")


def local(name: str) -> str:
    """Return a name without its namespace: versions of OVF and programs differ in those."""
    return name.rpartition("}")[2]


def children(element: ET.Element | None, tag: str) -> Iterator[ET.Element]:
    """Yield the children of a name, in any namespace."""
    for child in () if element is None else element:
        if local(child.tag) == tag:
            yield child


def child(element: ET.Element | None, tag: str) -> ET.Element | None:
    """Return the first child of a name."""
    return next(children(element, tag), None)


def attribute(element: ET.Element, name: str) -> str | None:
    """Return an attribute, in any namespace."""
    return next((value for key, value in element.attrib.items() if local(key) == name), None)


def child_text(element: ET.Element | None, tag: str) -> str | None:
    """Return the text of the first child of a name, without white space around it; None if there is none."""
    found = child(element, tag)
    return (found.text or "").strip() or None if found is not None else None


def checked_text(text: str, what: str) -> str:
    """Return a text that is shown to people in one line.

    :raises InvalidArguments: it is empty, very long, or has control characters
    """
    if not text or len(text) > _MAX_TEXT or any(ord(character) < ord(" ") for character in text):
        raise invalid(f"has no usable {what}: {text[:80]!r}")
    return text


def integer(text: str, what: str, lowest: int, highest: int) -> int:
    """Return a number.

    :raises InvalidArguments: it is none, or out of bounds
    """
    if not _DIGITS.fullmatch(text.strip()) or not lowest <= int(text) <= highest:
        raise invalid(f"has {what} {text[:80]!r}: use a whole number from {lowest} to {highest}")
    return int(text)
