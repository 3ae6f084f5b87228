"""The firmware that boots a guest: BIOS, or UEFI where the host has it."""

import xml.etree.ElementTree as ET

from simplestack import Firmware
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware.nvram import has_nvram
from simplestack_kvm.libvirtd.guests.domain_xml import HostKind


def firmware_of(document: ET.Element) -> Firmware:
    """Return the firmware of a domain."""
    return "uefi" if has_nvram(document) else "bios"


def require_uefi(session: KvmSession, host: HostKind) -> None:
    """Check that the host can boot guests by UEFI: one round trip.

    :raises NotImplementedError: it cannot
    """
    text = session.connection.getDomainCapabilities(None, host.arch, host.machine, host.domain_type)
    values = parse_document(text).iterfind("os/enum[@name='firmware']/value")
    if "efi" not in [value.text for value in values]:
        raise NotImplementedError(
            "the host has no UEFI firmware for guests: install it there (Debian's package is ovmf), or use "
            "`firmware` bios"
        )
