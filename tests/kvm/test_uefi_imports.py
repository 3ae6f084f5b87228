"""Appliances whose guests boot by UEFI, and templates."""

from pathlib import Path

import libvirt
import pytest

from simplestack import GuestImport, InvalidArguments
from simplestack_kvm.hooks.guests import guest_delete, guest_list
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.templates import template_ids
from support.lacking import lacking_packages

from .appliances import FIRST, appliance, disk, image, ova
from .counterparts.libvirtd import Libvirtd
from .host_state import host_state
from .interference import after
from .uefi_guests import VARIABLES, files_in, path_of, variables
from .uploads import Reject, load, rejecting

UEFI = appliance(firmware="efi", nvram_href="uefi.fd")


@pytest.fixture
def nvram(libvirtd: Libvirtd) -> Path:
    """Give libvirt's folder for UEFI variables."""
    if not VARIABLES.exists():
        lacking_packages(["ovmf"])
    folder = libvirtd.folder / "lib/qemu/nvram"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def reject(session: KvmSession, libvirtd: Libvirtd) -> Reject:
    return rejecting(session, libvirtd)


def test_the_variables_of_an_appliance_are_those_of_its_guest(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, tmp_path: Path
) -> None:
    before = host_state(session.connection, libvirtd)
    described = appliance(disk("disk", FIRST), firmware="efi", nvram_href="uefi.fd")
    files = {"uefi.fd": variables(b"of the appliance"), "disk": image(tmp_path, FIRST)}
    made = load(session, libvirtd, ova(described, files), None)
    path = path_of(session, made)
    assert (path.parent, path.name) == (Path("/var/lib/libvirt/qemu/nvram"), f"{made.id}_VARS.fd")
    assert (nvram / path.name).read_bytes() == files["uefi.fd"]
    domain = session.connection.lookupByUUIDString(made.id)
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    domain.destroy()
    guest_delete(session, made.id)
    assert host_state(session.connection, libvirtd) == before


def test_a_guest_without_variables_gets_those_of_the_firmware(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path, tmp_path: Path
) -> None:
    before = host_state(session.connection, libvirtd)
    content = image(tmp_path, FIRST)
    for body, wanted in (
        (ova(appliance(disk("disk", FIRST), firmware="efi"), {"disk": content}), None),
        (content, GuestImport(name="bare", memory=64, firmware="uefi")),
    ):
        made = load(session, libvirtd, body, wanted)
        domain = session.connection.lookupByUUIDString(made.id)
        assert parse_document(domain.XMLDesc()).find("os[@firmware='efi']") is not None
        domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
        template = parse_document(domain.XMLDesc()).find("os/nvram[@template]")
        domain.destroy()
        assert template is not None
        assert template.get("template") == str(VARIABLES), "variables without keys: any system boots"
        assert f"{made.id}_VARS.fd" in files_in(nvram)
        guest_delete(session, made.id)
        assert host_state(session.connection, libvirtd) == before


def test_a_secure_guest_is_defined_with_secure_boot(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    made = load(session, libvirtd, ova(appliance(firmware="efi", secure_boot=True), {}), None)
    domain = session.connection.lookupByUUIDString(made.id)
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED)
    loader = parse_document(domain.XMLDesc()).find("os/loader")
    domain.destroy()
    assert loader is not None
    assert loader.get("secure") == "yes"
    guest_delete(session, made.id)


def test_variables_that_are_none_or_missing_are_rejected(reject: Reject, nvram: Path) -> None:
    reject(ova(UEFI, {"uefi.fd": b"#!/bin/sh"}), "UEFI variables")
    reject(ova(UEFI, {"uefi.fd": bytes(65 * 1024 * 1024)}), "has more than")
    reject(ova(UEFI, {}), "lacks 'uefi.fd'")


def test_a_query_without_uefi_leaves_no_variables(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    before = files_in(nvram)
    body = ova(UEFI, {"uefi.fd": variables(b"unused")})
    made = load(session, libvirtd, body, GuestImport(firmware="bios"))
    assert files_in(nvram) == before
    assert parse_document(session.connection.lookupByUUIDString(made.id).XMLDesc()).find("os/nvram") is None
    guest_delete(session, made.id)


def test_an_import_that_fails_at_its_end_removes_variables_and_marks(
    session: KvmSession, libvirtd: Libvirtd, nvram: Path
) -> None:
    before, marks = host_state(session.connection, libvirtd), template_ids(session)

    def fail() -> None:
        raise InvalidArguments("at the end")

    described = appliance(firmware="efi", nvram_href="uefi.fd", template=True)
    body = ova(described, {"uefi.fd": variables(b"gone")})
    for call in ("virDomainDefineXML", "virSecretDefineXML"):
        with after(call, fail), pytest.raises(InvalidArguments, match="at the end"):
            load(session, libvirtd, body, None)
        assert host_state(session.connection, libvirtd) == before
        assert template_ids(session) == marks


def test_a_template_that_cannot_be_shown_is_removed_with_its_mark(
    session: KvmSession, libvirtd: Libvirtd
) -> None:
    before, marks = host_state(session.connection, libvirtd), template_ids(session)
    secrets = libvirtd.folder / "etc-libvirt/secrets"
    looks = 0

    def fail() -> None:
        nonlocal looks
        looks += any(secrets.glob("*.xml"))
        if looks == 2:  # after the one that belongs to making the template
            raise InvalidArguments("at the end")

    with after("virDomainGetState", fail), pytest.raises(InvalidArguments, match="at the end"):
        load(session, libvirtd, ova(appliance(template=True), {}), None)
    assert template_ids(session) == marks
    assert host_state(session.connection, libvirtd) == before


def test_a_template_comes_back_as_a_template(session: KvmSession, libvirtd: Libvirtd) -> None:
    made = load(session, libvirtd, ova(appliance(template=True), {}), None)
    assert made.id in template_ids(session)
    assert made.id not in [guest.id for guest in guest_list(session, frozenset({"id"}))]
    guest_delete(session, made.id)
    assert made.id not in template_ids(session)
