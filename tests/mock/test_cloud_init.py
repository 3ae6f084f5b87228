"""Data for cloud-init and the firmware: kept with the guest, and where they go from there."""

import io
import json

import pytest

from simplestack import CloudInit, Guest, GuestCreate, GuestImport, GuestUpdate
from simplestack.mock import MockSession
from simplestack.mock.hooks import guests, guests_create, guests_update, snapshots, transfer

from .images import exported, imported, manifest_of

SECRET = "pa55-w0rd"
DATA = CloudInit(user_data=f"password: {SECRET}", hostname="web-1", ssh_keys=["ssh-ed25519 AAAA"])


@pytest.fixture
def made(session: MockSession) -> Guest:
    body = GuestCreate(
        name="made",
        memory=64,
        firmware="uefi",
        user_data=DATA.user_data,
        hostname=DATA.hostname,
        ssh_keys=DATA.ssh_keys,
    )
    return guests_create.guest_create(session, body)


def test_a_guest_keeps_what_it_was_created_with(session: MockSession, made: Guest) -> None:
    guests_update.guest_update(session, made.id, GuestUpdate(memory=128))
    record = session.guest(made.id)
    assert record.cloud_init == DATA
    assert record.hardware.firmware == "uefi"
    assert SECRET not in repr(record)


def test_a_guest_without_it_has_none(session: MockSession) -> None:
    plain = guests_create.guest_create(session, GuestCreate(name="plain", memory=64))
    record = session.guest(plain.id)
    assert (record.cloud_init, record.hardware.firmware) == (None, "bios")


def test_the_secrets_of_the_original_are_in_no_copy(session: MockSession, made: Guest) -> None:
    clone = guests.guest_clone(session, made.id, "clone", None)
    copy = guests_create.guest_create(session, GuestCreate(name="copy", template=made.id))
    for guest in (clone, copy):
        record = session.guest(guest.id)
        assert (record.cloud_init, record.hardware.firmware) == (None, "uefi")


def test_a_copy_has_its_own_data(session: MockSession, made: Guest) -> None:
    clone = guests.guest_clone(session, made.id, "clone", CloudInit(hostname="web-2"))
    body = GuestCreate(name="copy", template=made.id, hostname="web-3", firmware="bios")
    copy = guests_create.guest_create(session, body)
    assert session.guest(clone.id).cloud_init == CloudInit(hostname="web-2")
    assert session.guest(copy.id).cloud_init == CloudInit(hostname="web-3")
    assert session.guest(copy.id).hardware.firmware == "bios"
    assert session.guest(made.id).cloud_init == DATA


def test_an_export_has_the_firmware_and_not_the_secrets(session: MockSession, made: Guest) -> None:
    image = exported(session, made.id)
    assert manifest_of(image)["firmware"] == "uefi"
    assert SECRET.encode() not in image
    assert "web-1" not in json.dumps(manifest_of(image))
    again = session.guest(imported(session, image).id)
    assert (again.cloud_init, again.hardware.firmware) == (None, "uefi")


def test_a_revert_leaves_the_data_alone(session: MockSession, made: Guest) -> None:
    before = snapshots.snapshot_create(session, made.id, "before")
    snapshots.snapshot_revert(session, made.id, before.id)
    assert session.guest(made.id).cloud_init == DATA


def test_a_description_overrides_what_the_archive_says(session: MockSession, stopped: Guest) -> None:
    image = exported(session, stopped.id)
    description = GuestImport(name="again", memory=64, network=["Storage network"], firmware="uefi")
    made = transfer.guest_import(session, io.BytesIO(image), len(image), None, description)
    assert (made.name, made.memory, made.cpus, made.hdd) == ("again", 64, stopped.cpus, stopped.hdd)
    hardware = session.guest(made.id).hardware
    assert [interface.network for interface in hardware.interfaces] == ["Storage network"]
    assert hardware.firmware == "uefi"
