"""Names of disks, kept in the metadata of their domain."""

import xml.etree.ElementTree as ET
from typing import Any

from simplestack_kvm.libvirtd.changes.turns import turn
from simplestack_kvm.libvirtd.changes.undo import Step
from simplestack_kvm.libvirtd.guests.domain_xml import names_element
from simplestack_kvm.libvirtd.guests.domains import document_of, modification_flags
from simplestack_kvm.libvirtd.guests.records import DISK_NAMES, disk_names, disk_records
from simplestack_kvm.sdk import libvirt


def renaming(domain: "libvirt.virDomain", target: str, source: str | None, name: str) -> Step:
    """Return the change of a disk's name.

    :param source: of the disk, as its record has it: another request may give the target to another disk
    """
    before: list[str | None] = []

    def rename() -> None:
        before.append(disk_names(document_of(domain)).get(target))
        set_name(domain, target, name)

    def rename_back() -> None:
        document = document_of(domain)
        if not before or disk_names(document).get(target) != name:
            return
        is_taken = any(disk.target == target and disk.source != source for disk in disk_records(document))
        # The other disk may have got its name before this one, or may have the same.
        if not is_taken or before[0] is not None:
            set_name(domain, target, before[0])

    return Step(
        apply=rename,
        undo=rename_back,
        undoing=f"giving disk {target} its former name",
    )


def set_name(domain: "libvirt.virDomain", target: str, name: str | None) -> None:
    """Keep a disk's name in the metadata, or forget it.

    :raises Busy: another request renames a disk of the guest for too long
    """
    with turn(domain, "renaming a disk of the guest"):
        _set_name(domain, target, name)


def _set_name(domain: "libvirt.virDomain", target: str, name: str | None) -> None:
    names = disk_names(document_of(domain))
    if names.get(target) == name:
        return
    names.pop(target, None)
    if name is not None:
        names[target] = name
    text: Any = ET.tostring(names_element(names), encoding="unicode") if names else None  # None removes it
    domain.setMetadata(
        libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, "simplestack-disks", DISK_NAMES, modification_flags(domain)
    )
