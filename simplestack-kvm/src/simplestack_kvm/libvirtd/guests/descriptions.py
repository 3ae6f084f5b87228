"""The descriptions of all guests of a host: what each has, as it runs and as it starts next.

libvirt's statistics would tell the disks of all guests in one round trip, but libvirt looks at each file for
that, and holds the guest meanwhile. A file that hangs would make every list of guests wait.
"""

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.parallel_reads import read_all
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.sdk import libvirt


@dataclass(frozen=True, kw_only=True, slots=True)
class GuestDescription:
    """A guest, and its descriptions."""

    uuid: str
    name: str
    documents: Sequence[ET.Element]

    def disks(self) -> list[ET.Element]:
        """Return the ``<disk>`` elements of all descriptions, media included."""
        return [disk for document in self.documents for disk in document.iterfind("devices/disk")]


def describe_guests(session: KvmSession) -> tuple[list[GuestDescription], bool]:
    """Return the descriptions of all guests, and whether there was time for all of them.

    A round trip for each guest, and one more for one that runs.
    """
    domains, texts = read_all(session, _domains, _texts)
    guests = [_description(domains[uuid], text) for uuid, text in texts.items()]
    return guests, len(texts) == len(domains)


def describe_guest(domain: "libvirt.virDomain") -> GuestDescription:
    """Return the descriptions of one guest."""
    return _description(domain, _texts(domain))


def describe_saved_guests(session: KvmSession) -> list[GuestDescription]:
    """Return what the guests that are saved to disk had when they were saved, and have when they go on."""
    domains = session.connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
    return [_description(domain, _present(domain.managedSaveGetXMLDesc)) for domain in domains]


def describe_snapshots(session: KvmSession) -> list[GuestDescription]:
    """Return what the guests that have snapshots had when these were taken. A revert brings it back."""
    domains = session.connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_HAS_SNAPSHOT)
    return [describe_snapshots_of(domain) for domain in domains]


def describe_snapshots_of(domain: "libvirt.virDomain") -> GuestDescription:
    """Return what a guest had when its snapshots were taken, and the files that the snapshots are in."""
    documents = []
    try:
        handles = domain.listAllSnapshots()
    except libvirt.libvirtError as error:
        if not is_error(error, libvirt.VIR_ERR_NO_DOMAIN):
            raise
        handles = []
    for text in [text for handle in handles for text in _present(handle.getXMLDesc)]:
        snapshot = parse_document(text)
        outside = ET.Element("domain")
        ET.SubElement(outside, "devices").extend(snapshot.iterfind("disks/disk"))
        documents += [outside, *snapshot.iterfind("domain"), *snapshot.iterfind("inactiveDomain")]
    return GuestDescription(uuid=domain.UUIDString(), name=domain.name(), documents=documents)


def _domains(connection: "libvirt.virConnect") -> dict[str, "libvirt.virDomain"]:
    return {domain.UUIDString(): domain for domain in connection.listAllDomains()}


def _texts(domain: "libvirt.virDomain") -> list[str]:
    flags = [0] if domain.ID() == -1 else [0, libvirt.VIR_DOMAIN_XML_INACTIVE]
    return [text for flag in flags for text in _present(partial(domain.XMLDesc, flag))]


def _present(describe: Callable[[], str]) -> list[str]:
    """Return a description; none of what is gone, or of a guest that is not saved any more."""
    try:
        return [describe()]
    except libvirt.libvirtError as error:
        if not is_error(
            error,
            libvirt.VIR_ERR_NO_DOMAIN,
            libvirt.VIR_ERR_NO_DOMAIN_SNAPSHOT,
            libvirt.VIR_ERR_OPERATION_INVALID,
        ):
            raise
        return []


def _description(domain: "libvirt.virDomain", texts: Sequence[str]) -> GuestDescription:
    return GuestDescription(
        uuid=domain.UUIDString(), name=domain.name(), documents=[parse_document(text) for text in texts]
    )
