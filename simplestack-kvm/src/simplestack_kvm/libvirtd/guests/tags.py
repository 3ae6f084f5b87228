"""Tags, kept in the metadata of their domain.

Each tag is an element in an XML namespace of its own, which ends in the percent-encoded name. libvirt
replaces the element of one namespace at a time, so clients that add tags at the same time keep each other's.
"""

import xml.etree.ElementTree as ET
from typing import Any
from urllib.parse import quote, unquote

from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.guests.domains import document_of, modification_flags
from simplestack_kvm.sdk import libvirt

#: What the namespaces of tags start with.
TAGS = "urn:simplestack:kvm:tag:"


def read_tags(domain: "libvirt.virDomain") -> list[str]:
    """Return a guest's tags, sorted.

    They are those of its definition, if it has one: a guest that was saved to disk goes on with the metadata
    that it had then.
    """
    flags = libvirt.VIR_DOMAIN_XML_INACTIVE if domain.isPersistent() else 0
    return sorted(_tags(document_of(domain, flags)))


def add_tag(domain: "libvirt.virDomain", name: str) -> None:
    """Add a tag, unless the guest has it."""
    _set(domain, name, "<tag/>")


def remove_tag(domain: "libvirt.virDomain", name: str) -> None:
    """Remove a tag, if the guest has it."""
    _set(domain, name, None)


def _set(domain: "libvirt.virDomain", name: str, text: Any) -> None:
    """Replace the element of a tag; None removes it."""

    def change() -> None:
        domain.setMetadata(
            libvirt.VIR_DOMAIN_METADATA_ELEMENT,
            text,
            "simplestack-tag",
            TAGS + quote(name, safe=""),
            modification_flags(domain),
        )

    try:
        change()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_OPERATION_INVALID):
            raise
        change()  # the guest has just stopped


def _tags(domain: ET.Element) -> set[str]:
    namespaces = (child.tag.removeprefix("{").partition("}")[0] for child in domain.iterfind("metadata/*"))
    return {unquote(name.removeprefix(TAGS)) for name in namespaces if name.startswith(TAGS)}
