"""UEFI variables of clones on a real libvirtd: what a copy could overwrite, delete or reveal."""

import uuid
import xml.etree.ElementTree as ET
from pathlib import Path

import libvirt
import pytest

from simplestack import Conflict, GuestCreate, GuestUpdate, InvalidArguments
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_shutdown, guest_start
from simplestack_kvm.libvirtd.changes.leftovers import Leftovers
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.firmware.nvram import write_nvram
from simplestack_kvm.libvirtd.firmware.nvram_files import MAX_BYTES

from .counterparts.libvirtd import Libvirtd
from .image_guests import traces
from .interference import after
from .uefi_guests import PFLASH, VARIABLES, copied, files_in, path_of, pools, uefi_guest, variables


@pytest.mark.parametrize(
    ("system", "name"),
    [
        ("efi", "NAME_VARS.fd"),
        (PFLASH, "NAME_VARS.fd"),
        (f"{PFLASH}<nvram template='{VARIABLES}'>FOLDER/own.fd</nvram>", "own.fd"),
    ],
)
def test_a_clone_has_uefi_variables_of_its_own(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, system: str, name: str
) -> None:
    with uefi_guest(session, nvram, system, name=name) as domain:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        domain.destroy()
        theirs = nvram / name.replace("NAME", domain.name())
        first = theirs.stat()
        theirs.write_bytes(variables(b"the guest's own"))
        clone = copied(session, domain)
        own = nvram / path_of(session, clone).name
        assert own.name == f"{clone.id}_VARS.fd"
        assert own.read_bytes() == variables(b"the guest's own")
        assert (own.stat().st_uid, own.stat().st_gid, own.stat().st_mode) == (
            first.st_uid,
            first.st_gid,
            first.st_mode,
        )
        theirs.write_bytes(variables(b"changed"))
        guest_start(session, clone.id)
        guest_shutdown(session, clone.id, force=True)
        assert own.read_bytes().endswith(b"the guest's own")
        guest_delete(session, clone.id)
        assert not own.exists()
        assert theirs.read_bytes() == variables(b"changed")
        assert pools(session) == [libvirtd.pool]


def test_a_guest_that_never_started_is_cloned_without_variables(session: KvmSession, nvram: Path) -> None:
    with uefi_guest(session, nvram, "efi") as domain:
        clone = copied(session, domain)
        own = nvram / path_of(session, clone).name
        assert not own.exists()
        guest_start(session, clone.id)
        guest_shutdown(session, clone.id, force=True)
        assert own.read_bytes()[40:44] == b"_FVH"
        guest_delete(session, clone.id)
        assert not own.exists()


def test_a_guest_that_is_made_of_a_template_and_cannot_start_leaves_no_variables(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    with uefi_guest(session, nvram) as domain:
        before = traces(session, libvirtd)
        with after("virDomainCreate", broken, nth=1), pytest.raises(BrokenError):
            guest_create(session, GuestCreate(name="copied", template=domain.name(), start=True))
        assert traces(session, libvirtd) == before


class BrokenError(Exception):
    """Stands for anything that can go wrong."""


def broken() -> None:
    raise BrokenError


@pytest.mark.parametrize("function", ["virStorageVolUpload", "virStreamSend", "virDomainDefineXML"])
def test_a_clone_that_fails_leaves_no_variables(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, function: str
) -> None:
    with uefi_guest(session, nvram) as domain:
        theirs = nvram / f"{domain.name()}_VARS.fd"
        theirs.write_bytes(variables(b"mine"))
        before = traces(session, libvirtd), files_in(nvram)
        with after(function, broken, nth=1), pytest.raises(BrokenError):
            copied(session, domain)
        assert (traces(session, libvirtd), files_in(nvram)) == before
        assert pools(session) == [libvirtd.pool]


def a_document(guest_id: str) -> ET.Element:
    system = (
        "<os firmware='efi'><type arch='x86_64' machine='q35'>hvm</type></os><features><acpi/></features>"
    )
    return parse_document(f"<domain type='qemu'><name>new</name><uuid>{guest_id}</uuid>{system}</domain>")


@pytest.mark.parametrize("content", [None, variables(b"new")], ids=["without content", "with content"])
def test_a_file_that_exists_is_neither_overwritten_nor_deleted(
    session: KvmSession, nvram: Path, content: bytes | None
) -> None:
    guest_id = str(uuid.uuid4())
    path = nvram / f"{guest_id}_VARS.fd"
    path.write_bytes(b"somebody else's")
    with pytest.raises(Conflict, match="exists already"), Leftovers(session) as made:
        write_nvram(session, made, a_document(guest_id), content)
    assert path.read_bytes() == b"somebody else's"
    path.unlink()


def test_a_file_that_somebody_makes_meanwhile_is_neither_overwritten_nor_deleted(
    session: KvmSession, nvram: Path
) -> None:
    guest_id = str(uuid.uuid4())
    path = nvram / f"{guest_id}_VARS.fd"
    with (
        # The pool is described after the look at its files.
        after("virStoragePoolGetXMLDesc", lambda: path.write_bytes(b"somebody else's"), nth=1),
        pytest.raises(Conflict, match="exists already"),
        Leftovers(session) as made,
    ):
        write_nvram(session, made, a_document(guest_id), variables(b"new"))
    assert path.read_bytes() == b"somebody else's"
    path.unlink()


@pytest.mark.parametrize(
    "content",
    [b"", b"the host's own secret" * 10, bytes(40) + b"_FVH" + bytes(MAX_BYTES)],
    ids=["nothing", "something else", "too much"],
)
def test_what_is_no_uefi_variables_is_not_written(session: KvmSession, nvram: Path, content: bytes) -> None:
    with pytest.raises(InvalidArguments, match="UEFI variables"), Leftovers(session) as made:
        write_nvram(session, made, a_document(str(uuid.uuid4())), content)


def test_a_file_of_the_host_is_not_taken_for_variables(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, secret: Path
) -> None:
    with uefi_guest(session, nvram) as domain:
        link = nvram / f"{domain.name()}_VARS.fd"
        link.symlink_to(secret)
        before = traces(session, libvirtd)
        with pytest.raises(Conflict, match="something else"):
            copied(session, domain)
        assert traces(session, libvirtd) == before


@pytest.mark.parametrize(
    ("system", "said"),
    [
        (f"{PFLASH}<nvram>/etc/shadow</nvram>", "libvirt's folder"),
        (f"{PFLASH}<nvram>FOLDER/x/../../secret</nvram>", "libvirt's folder"),
        (f"{PFLASH}<nvram type='block'><source dev='/dev/sda'/></nvram>", "libvirt's folder"),
        (
            f"{PFLASH}<nvram type='network'><source protocol='nbd' name='x'/></nvram>",
            "folder",
        ),
        ("<loader readonly='no' type='pflash'>/nowhere/OVMF.fd</loader>", "write to its UEFI firmware"),
        ("<loader type='pflash'>/nowhere/OVMF.fd</loader>", "write to its UEFI firmware"),
    ],
)
def test_variables_elsewhere_are_not_copied(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, system: str, said: str
) -> None:
    with uefi_guest(session, nvram, system) as domain:
        before = traces(session, libvirtd)
        with pytest.raises(NotImplementedError, match=said):
            copied(session, domain)
        assert traces(session, libvirtd) == before


def test_variables_that_another_guest_uses_are_not_copied(session: KvmSession, nvram: Path) -> None:
    with uefi_guest(session, nvram, "efi") as domain:
        path = nvram / f"{domain.name()}_VARS.fd"
        path.write_bytes(variables(b"whose?"))
        with uefi_guest(session, nvram, f"{PFLASH}<nvram>{path}</nvram>") as other:
            for guest, user in ((domain, other), (other, domain)):
                with pytest.raises(Conflict, match=f"guest {user.name()} uses the same"):
                    copied(session, guest)


def test_a_guest_that_would_lose_its_variables_keeps_its_name(session: KvmSession, nvram: Path) -> None:
    with uefi_guest(session, nvram, "efi") as domain:
        name = domain.name()
        (nvram / f"{name}_VARS.fd").write_bytes(variables(b"the guest's own"))
        with pytest.raises(NotImplementedError, match="clone the guest under the new name"):
            guest_update(session, domain.UUIDString(), GuestUpdate(name="renamed"))
        assert session.connection.lookupByName(name).UUIDString() == domain.UUIDString()
        assert guest_update(session, domain.UUIDString(), GuestUpdate(name=name, memory=48)).memory == 48


def test_variables_that_the_former_name_of_a_guest_leaves_are_not_another_guests(
    session: KvmSession, nvram: Path
) -> None:
    with uefi_guest(session, nvram) as domain:
        former = domain.name()
        (nvram / f"{former}_VARS.fd").write_bytes(variables(b"the guest's own"))
        clone = copied(session, domain)
        guest_update(session, clone.id, GuestUpdate(name=f"{clone.name} renamed"))
        guest_start(session, clone.id)
        guest_shutdown(session, clone.id, force=True)
        assert (nvram / path_of(session, clone).name).read_bytes().endswith(b"the guest's own")
        guest_delete(session, clone.id)
        assert (nvram / f"{former}_VARS.fd").exists()


def test_a_deleted_guest_takes_the_variables_along_that_libvirt_chose(
    session: KvmSession, nvram: Path, warnings: list[str]
) -> None:
    with uefi_guest(session, nvram, "efi") as domain:
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        domain.destroy()
        path = nvram / f"{domain.name()}_VARS.fd"
        assert path.exists()
        guest_delete(session, domain.UUIDString())
        assert not path.exists()
    assert warnings == []
