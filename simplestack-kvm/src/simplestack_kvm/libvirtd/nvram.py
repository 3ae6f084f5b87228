"""UEFI variables: a file of each guest that boots by UEFI, which libvirt keeps outside of the pools."""

import logging
import posixpath
import uuid
import xml.etree.ElementTree as ET

from simplestack import SimplestackError, warn
from simplestack_kvm.libvirtd.descriptions import describe_guests
from simplestack_kvm.libvirtd.inventory import normalized
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.sdk import libvirt

_log = logging.getLogger(__name__)


def nvram_path(document: ET.Element) -> str | None:
    """Return the path of a domain's UEFI variables; None where it has none in a file."""
    path = document.findtext("os/nvram", "").strip()
    return normalized(path) if path.startswith("/") else None


def delete_nvram(session: KvmSession, document: ET.Element) -> None:
    """Delete the UEFI variables of a domain that has been undefined, if they are certainly its own.

    They are when libvirt made the file, which the name tells, and no other domain names it. libvirt deletes
    the file together with a domain only. The domain that is defined for that has a UUID that nobody knows, so
    nobody can start it.

    :param document: the description of the domain
    """
    path = nvram_path(document)
    if path is None:
        return
    try:
        reason = _why_kept(session, document, path)
        if reason is None:
            _delete(session, document)
            return
    except (libvirt.libvirtError, SimplestackError):
        # The guest is gone: what stays of it is no reason to fail.
        _log.warning("the UEFI variables of a deleted guest stay", exc_info=True)
        reason = "libvirt could not delete them"
    warn(f"the UEFI variables of the guest are kept: {reason}")


def _delete(session: KvmSession, document: ET.Element) -> None:
    number = str(uuid.uuid4())
    name = f"simplestack-{number}"
    stub = ET.Element("domain", type=document.get("type", "qemu"))
    for tag, text in (("name", name), ("uuid", number), ("memory", "1024"), ("vcpu", "1")):
        ET.SubElement(stub, tag).text = text
    stub.extend(element for element in document if element.tag in ("os", "features"))
    domain = session.connection.defineXML(ET.tostring(stub, encoding="unicode"))
    try:
        domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_NVRAM)
    except libvirt.libvirtError:
        try:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM)
        except libvirt.libvirtError:
            warn(f"guest {name}, created to delete the UEFI variables, is left: delete it")
        raise


def _why_kept(session: KvmSession, document: ET.Element, path: str) -> str | None:
    name = document.findtext("name", "")
    made = posixpath.basename(path) in (f"{name}_VARS.fd", f"{name}_VARS.qcow2")
    if not made or posixpath.basename(posixpath.dirname(path)) != "nvram":
        return "libvirt did not create them for this guest"
    guests, is_complete = describe_guests(session)
    for guest in guests:
        # By whatever way: a file of this name is hardly another one.
        named = {posixpath.basename(path) for document in guest.documents for path in _paths(document)}
        if posixpath.basename(path) in named:
            return f"guest {guest.name} uses them"
    return None if is_complete else "there was not enough time to check whether another guest uses them"


def _paths(document: ET.Element) -> list[str]:
    """Return everything below ``<os>`` that is a path: loader, variables, their template, kernel."""
    texts = [(element.text or "").strip() for element in document.iterfind("os//*")]
    texts += [element.get("template", "") for element in document.iterfind("os/nvram")]
    texts += [element.get("file", "") for element in document.iterfind("os//source")]
    return [path for path in texts if path.startswith("/")]
