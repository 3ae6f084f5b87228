"""UEFI variables: a file of each guest that boots by UEFI, which libvirt keeps outside of the pools.

Copies have a file that is named by their UUID, as their disks are. libvirt's own default is the guest's name:
a guest that is renamed would lose its variables, and one that gets its former name would find them.
"""

import logging
import posixpath
import re
import uuid
import xml.etree.ElementTree as ET
from functools import partial

from simplestack import Conflict, HypervisorTimeout, InvalidArguments, SimplestackError, warn
from simplestack_kvm.errors import is_error
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware.nvram_files import (
    MAX_BYTES,
    create_file,
    delete_file,
    read_file,
    require_absent,
)
from simplestack_kvm.libvirtd.guests.descriptions import describe_guests
from simplestack_kvm.libvirtd.storage.inventory import normalized
from simplestack_kvm.sdk import libvirt

_FOLDER = "nvram"
#: Ends the names of files that libvirt makes, as they follow the name of the guest.
_SUFFIXES = ("_VARS.fd", "_VARS.qcow2")
#: Where a volume of UEFI firmware has its signature: UEFI Platform Initialization, volume 3, 3.2.1.
_SIGNATURE, _SIGNATURE_OFFSET = b"_FVH", 40

_log = logging.getLogger(__name__)


def has_nvram(document: ET.Element) -> bool:
    """Tell whether a domain boots by UEFI, and so has variables."""
    return (
        document.find("os[@firmware='efi']") is not None
        or document.find("os/loader[@type='pflash']") is not None
        or document.find("os/nvram") is not None
    )


def reject_renaming(document: ET.Element) -> None:
    """Reject another name for a guest whose UEFI variables libvirt finds by its name.

    The guest would lose them, or find those that a guest of the new name has left.

    :param document: the guest's definition
    :raises NotImplementedError: libvirt finds them so
    """
    if has_nvram(document) and _path(document) is None:
        raise NotImplementedError(
            "libvirt finds the UEFI variables of the guest by its name, so it would lose them: name their "
            "file in its definition (<nvram>), or clone the guest under the new name"
        )


def find_nvram(session: KvmSession, document: ET.Element) -> str | None:
    """Return the path of the UEFI variables that are certainly the guest's alone, so that they may be copied.

    libvirt makes the file when the guest starts for the first time, so it may not exist.

    :param document: the guest's definition
    :return: None for a guest that has none
    :raises NotImplementedError: they are not in a plain file in libvirt's folder
    :raises Conflict: another guest uses the file
    :raises HypervisorTimeout: there is not enough time to find out
    """
    if not has_nvram(document):
        return None
    loader, nvram = document.find("os/loader"), document.find("os/nvram")
    if loader is not None and loader.get("type") == "pflash" and loader.get("readonly") != "yes":
        raise NotImplementedError("the guest may write to its UEFI firmware, which Simplestack does not copy")
    path = _path(document)
    if nvram is None or (path is None and not nvram.attrib.keys() - {"template"} and len(nvram) == 0):
        path = _default_path(session, document)
    elif nvram.get("type", "file") != "file" or nvram.get("format", "raw") != "raw":
        path = None
    if path is None or not _is_in_folder(path):
        raise NotImplementedError(
            "the UEFI variables of the guest are not a raw file in libvirt's folder for them, so Simplestack "
            "does not copy them"
        )
    user, is_complete = _user(session, path, but_by=_uuid(document))
    if user is not None:
        raise Conflict(f"guest {user} uses the same UEFI variables: give each guest its own file")
    if not is_complete:
        raise HypervisorTimeout(
            "there was not enough time to check whether another guest uses the UEFI variables: try again"
        )
    return path


def read_nvram(session: KvmSession, path: str) -> bytes | None:
    """Return UEFI variables, at most 64 MiB; None if the guest has never started, so that it has none.

    :param path: what `find_nvram` returned
    :raises Conflict: the file holds something else
    :raises HypervisorTimeout: the host does not respond
    """
    content = read_file(session, path)
    if content is not None and not _is_variables(content):
        raise Conflict(
            "the file for the guest's UEFI variables holds something else: remove it, or start the guest once"
        )
    return content


def write_nvram(session: KvmSession, made: Leftovers, document: ET.Element, content: bytes | None) -> None:
    """Give a new guest UEFI variables in a file of its own, and name the file in its description.

    :param document: the description of the new guest, before it is defined; its UUID becomes the file's name
    :param content: what `read_nvram` returned of another guest; None for those that libvirt makes at the
        guest's first start
    :raises InvalidArguments: the content is no UEFI variables, or has more than 64 MiB
    :raises Conflict: the file exists already, and stays as it is; or the host has no such firmware
    :raises HypervisorTimeout: the host does not respond
    """
    if content is not None and not _is_variables(content):
        raise InvalidArguments(
            f"the UEFI variables are none, or have more than {MAX_BYTES // 1024 // 1024} MiB: leave them out"
        )
    old_path = _path(document) or _default_path(session, document)
    path = posixpath.join(posixpath.dirname(old_path), f"{_uuid(document)}{_SUFFIXES[0]}")
    # Only what has been created is removed: a file that exists may be another guest's.
    created = partial(made.add, "the UEFI variables of the new guest", partial(delete_file, path=path))
    if content is None:
        require_absent(session, path)
        created()  # by libvirt, if the guest starts
    else:
        create_file(session, path, content, created)
    system = document.find("os")
    if system is None:
        system = ET.SubElement(document, "os")
    nvram = system.find("nvram")
    if nvram is None:
        nvram = ET.SubElement(system, "nvram")
    for source in list(nvram):
        nvram.remove(source)
    nvram.attrib.pop("type", None)
    nvram.text = path


def delete_nvram(session: KvmSession, document: ET.Element) -> None:
    """Delete the UEFI variables of a domain that has been undefined, if they are certainly its own.

    They are when the name of the file tells that it was made for the domain, and no other domain names it.

    :param document: the description of the domain
    """
    try:
        path = _path(document) or (_default_path(session, document) if has_nvram(document) else None)
        if path is None:
            return
        reason = _why_kept(session, document, path)
        if reason is None:
            delete_file(session.connection, path)
            return
    except (libvirt.libvirtError, SimplestackError):
        # The guest is gone: what stays of it is no reason to fail.
        _log.warning("the UEFI variables of a deleted guest stay", exc_info=True)
        reason = "libvirt could not delete them"
    warn(f"the UEFI variables of the guest are kept: {reason}")


def _path(document: ET.Element) -> str | None:
    """Return the path that a domain's description tells; None where it tells none."""
    source = document.find("os/nvram/source")
    path = document.findtext("os/nvram", "") if source is None else source.get("file", "")
    return normalized(path.strip()) if path.strip().startswith("/") else None


def _default_path(session: KvmSession, document: ET.Element) -> str:
    """Return the path that libvirt chooses when a guest starts whose description tells none.

    libvirt says it when it is asked for the arguments that QEMU would get, which changes nothing.

    :raises Conflict: the host has no such firmware
    """
    number = str(uuid.uuid4())
    stub = ET.Element("domain", type=document.get("type", "qemu"))
    for tag, text in (("name", number), ("uuid", number), ("memory", "65536"), ("vcpu", "1")):
        ET.SubElement(stub, tag).text = text
    stub.extend(element for element in document if element.tag in ("os", "features"))
    text = ET.tostring(stub, encoding="unicode")
    try:
        arguments = session.connection.domainXMLToNative("qemu-argv", text)
    except libvirt.libvirtError as error:
        if is_error(error, libvirt.VIR_ERR_OPERATION_FAILED, libvirt.VIR_ERR_CONFIG_UNSUPPORTED):
            raise Conflict("the host has no UEFI firmware that fits the guest: install it") from None
        raise
    place = re.search(rf'"(/[^"\\]*)/{number}(_VARS\.\w+)"', arguments)
    if place is None:
        raise NotImplementedError("libvirt does not tell where it keeps the UEFI variables of the guest")
    return normalized(f"{place[1]}/{document.findtext('name', '')}{place[2]}")


def _uuid(document: ET.Element) -> str:
    return document.findtext("uuid", "").strip().lower()


def _is_variables(content: bytes) -> bool:
    return len(content) <= MAX_BYTES and content[_SIGNATURE_OFFSET:].startswith(_SIGNATURE)


def _is_in_folder(path: str) -> bool:
    return posixpath.basename(posixpath.dirname(path)) == _FOLDER


def _why_kept(session: KvmSession, document: ET.Element, path: str) -> str | None:
    name, number = document.findtext("name", ""), _uuid(document)
    made_for_it = {f"{name}{suffix}" for suffix in _SUFFIXES} | {f"{number}{_SUFFIXES[0]}"}
    if posixpath.basename(path) not in made_for_it or not _is_in_folder(path):
        return "libvirt did not create them for this guest"
    user, is_complete = _user(session, path, but_by=None)
    if user is not None:
        return f"guest {user} uses them"
    return None if is_complete else "there was not enough time to check whether another guest uses them"


def _user(session: KvmSession, path: str, *, but_by: str | None) -> tuple[str | None, bool]:
    """Return who else names a file, by whatever way, and whether there was time to ask all guests."""
    guests, is_complete = describe_guests(session)
    for guest in guests:
        # A file of this name is hardly another one.
        named = {posixpath.basename(path) for document in guest.documents for path in _paths(document)}
        if guest.uuid.lower() != but_by and posixpath.basename(path) in named:
            return guest.name, is_complete
    return None, is_complete


def _paths(document: ET.Element) -> list[str]:
    """Return everything below ``<os>`` that is a path: loader, variables, their template, kernel.

    Where a domain has UEFI variables and tells no path, these are the names that libvirt may choose.
    """
    texts = [(element.text or "").strip() for element in document.iterfind("os//*")]
    texts += [element.get("template", "") for element in document.iterfind("os/nvram")]
    texts += [element.get("file", "") for element in document.iterfind("os//source")]
    if has_nvram(document) and _path(document) is None:
        texts += [f"/{document.findtext('name', '')}{suffix}" for suffix in _SUFFIXES]
    return [path for path in texts if path.startswith("/")]
