"""CD drives of the tests' domains."""

import libvirt

from simplestack_kvm.libvirtd.connection.documents import parse_document

INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE


def drives(domain: "libvirt.virDomain", flags: int = INACTIVE) -> list[tuple[str | None, str | None]]:
    """Return the device and the file of each CD drive."""
    found = []
    for disk in parse_document(domain.XMLDesc(flags)).iterfind("devices/disk[@device='cdrom']"):
        target, source = disk.find("target"), disk.find("source")
        assert target is not None
        found.append((target.get("dev"), None if source is None else source.get("file")))
    return found
