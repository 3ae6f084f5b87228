"""Guests that boot by UEFI, and their variables."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import libvirt

from simplestack import Guest
from simplestack_kvm.hooks.guests import guest_clone
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .domains import foreign

CODE = Path("/usr/share/OVMF/OVMF_CODE_4M.fd")
VARIABLES = Path("/usr/share/OVMF/OVMF_VARS_4M.fd")
PFLASH = f"<loader readonly='yes' type='pflash'>{CODE}</loader>"


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def uefi_guest(
    session: KvmSession, nvram: Path, system: str = PFLASH, *, name: str = "NAME_VARS.fd"
) -> Iterator["libvirt.virDomain"]:
    """Define a guest that boots by UEFI, and delete its variables with it.

    :param system: ``efi`` where libvirt chooses firmware and file; FOLDER is the folder of the files
    """
    text = "" if system == "efi" else system.replace("FOLDER", str(nvram))
    with foreign(session.connection, system=text) as domain:
        if system == "efi":
            document = domain.XMLDesc().replace("<os>", "<os firmware='efi'>")
            session.connection.defineXML(document)
        yield domain
    (nvram / name.replace("NAME", domain.name())).unlink(missing_ok=True)


def variables(mark: bytes) -> bytes:
    """Return UEFI variables with a mark where the firmware keeps nothing."""
    return (VARIABLES.read_bytes() if VARIABLES.exists() else b"")[: -len(mark)] + mark


def pools(session: KvmSession) -> list[str]:
    return sorted(pool.name() for pool in session.connection.listAllStoragePools())


def path_of(session: KvmSession, guest: Guest) -> Path:
    document = parse_document(session.connection.lookupByUUIDString(guest.id).XMLDesc())
    return Path(document.findtext("os/nvram", ""))


def copied(session: KvmSession, domain: "libvirt.virDomain") -> Guest:
    return guest_clone(session, domain.UUIDString(), f"copy-{uuid.uuid4().hex[:8]}", None)
