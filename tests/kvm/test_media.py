"""CD drives on a real libvirtd: whose medium is exchanged, and what is left alone."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    EntityNotFound,
    GuestCreate,
    InvalidArguments,
    InvalidState,
    Media,
    NewDisk,
)
from simplestack_kvm.hooks.disks import disk_list
from simplestack_kvm.hooks.guests import guest_delete, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.media import media_info, media_mount, media_unmount
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .cd_drives import INACTIVE, drives
from .counterparts.libvirtd import Libvirtd
from .domains import file_disk, foreign
from .image_guests import Pool, qemu_img, refresh
from .interference import after
from .test_guests import round_trips

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED
EMPTY = Media(name=None)
Until = Callable[[Callable[[], bool], float, str], None]


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[str]:
    """Give the ID of a guest of Simplestack's own making."""
    name = f"media {uuid.uuid4().hex[:8]}"
    wanted = GuestCreate(name=name, memory=32, disks=[NewDisk(size=1)], storage=libvirtd.pool)
    made = guest_create(session, wanted)
    yield made.id
    domain = session.connection.lookupByUUIDString(made.id)
    if domain.isActive():
        domain.destroy()
    guest_delete(session, made.id)


@pytest.mark.parametrize("running", [False, True])
def test_a_new_guest_has_a_drive_for_media_that_come_and_go(
    session: KvmSession, guest: str, isos: tuple[Path, Path], running: bool
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    contents = [image.read_bytes() for image in isos]
    if running:
        domain.create()
    assert media_info(session, guest) == EMPTY
    media_unmount(session, guest)
    for image in (isos[0], isos[0], isos[1]):
        media_mount(session, guest, image.name)
        assert media_info(session, guest) == Media(name=image.name)
        for flags in (0, INACTIVE):
            assert drives(domain, flags) == [("sda", str(image))]
    assert len(disk_list(session, guest)) == 1
    media_unmount(session, guest)
    for flags in (0, INACTIVE):
        assert drives(domain, flags) == [("sda", None)]
    assert media_info(session, guest) == EMPTY
    assert [image.read_bytes() for image in isos] == contents


@pytest.mark.parametrize("running", [False, True])
def test_only_the_first_drive_is_touched_and_keeps_what_else_it_is(
    session: KvmSession, isos: tuple[Path, Path], running: bool
) -> None:
    ours, theirs = isos
    first = file_disk(
        "", "hdc", "ide", device="cdrom", more="<alias name='ua-mine'/><boot order='2'/><serial>S1</serial>"
    )
    other = file_disk(str(theirs), "hdd", "ide", device="cdrom")
    with foreign(session.connection, first + other, machine="pc") as domain:
        guest_id = domain.UUIDString()
        if running:
            domain.createWithFlags(PAUSED)
        assert media_info(session, guest_id) == EMPTY
        media_mount(session, guest_id, ours.name)
        for flags in (0, INACTIVE):
            assert drives(domain, flags) == [("hdc", str(ours)), ("hdd", str(theirs))]
        media_unmount(session, guest_id)
        for flags in (0, INACTIVE):
            assert drives(domain, flags) == [("hdc", None), ("hdd", str(theirs))]
            for mark in ("ua-mine", "order='2'", "<serial>S1</serial>"):
                assert mark in domain.XMLDesc(flags)


def test_media_that_simplestack_did_not_insert_have_the_last_part_of_their_name(
    session: KvmSession, libvirtd: Libvirtd, isos: tuple[Path, Path], outside: Path
) -> None:
    elsewhere = outside / "installer.iso"
    elsewhere.write_bytes(b".")
    target = "<target dev='sda' bus='sata'/>"
    named = f"<source pool='{libvirtd.pool}' volume='{isos[0].name}'/>{target}"
    remote = (
        f"<source protocol='http' name='/a/remote.iso'><host name='h.invalid' port='80'/></source>{target}"
    )
    for devices, name in (
        (file_disk(str(elsewhere), "sda", "sata", device="cdrom"), "installer.iso"),
        (f"<disk type='volume' device='cdrom'>{named}</disk>", isos[0].name),
        (f"<disk type='network' device='cdrom'>{remote}</disk>", "remote.iso"),
        (f"<disk type='block' device='cdrom'><source dev='/dev/cdrom'/>{target}</disk>", "cdrom"),
    ):
        with foreign(session.connection, devices) as domain:
            assert media_info(session, domain.UUIDString()) == Media(name=name)
            media_mount(session, domain.UUIDString(), isos[1].name)
            assert drives(domain) == [("sda", str(isos[1]))]
        with foreign(session.connection, devices) as domain:
            media_unmount(session, domain.UUIDString())
            assert drives(domain) == [("sda", None)]
            assert media_info(session, domain.UUIDString()) == EMPTY
    assert elsewhere.exists()


@pytest.mark.parametrize(("machine", "device"), [("q35", "sdb"), ("pc", "hda")])
def test_a_guest_without_a_drive_gets_one_while_it_is_off(
    session: KvmSession, isos: tuple[Path, Path], machine: str, device: str, secret: Path
) -> None:
    disk = file_disk(str(secret), "sda", "sata") if machine == "q35" else ""
    with foreign(session.connection, disk, machine=machine) as domain:
        assert media_info(session, domain.UUIDString()) == EMPTY
        media_unmount(session, domain.UUIDString())
        assert drives(domain) == []
        media_mount(session, domain.UUIDString(), isos[0].name)
        assert drives(domain) == [(device, str(isos[0]))]


def test_a_running_guest_without_a_drive_must_be_stopped_for_one(
    session: KvmSession, isos: tuple[Path, Path]
) -> None:
    with foreign(session.connection) as domain:
        domain.createWithFlags(PAUSED)
        with pytest.raises(InvalidState, match="no CD drive, while it is PAUSED: it must be STOPPED"):
            media_mount(session, domain.UUIDString(), isos[0].name)
        media_unmount(session, domain.UUIDString())
        assert drives(domain) == drives(domain, 0) == []


def test_a_medium_that_the_running_guest_does_not_get_is_not_in_its_definition(
    session: KvmSession, guest: str, isos: tuple[Path, Path]
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    domain.create()
    media_mount(session, guest, isos[0].name)
    with (
        after("virDomainUpdateDeviceFlags", isos[1].unlink, nth=1),
        pytest.raises(libvirt.libvirtError),
    ):
        media_mount(session, guest, isos[1].name)
    for flags in (0, INACTIVE):
        assert drives(domain, flags) == [("sda", str(isos[0]))]
    domain.destroy()
    media_unmount(session, guest)


def test_a_drive_that_is_removed_for_the_next_start_is_not_put_back_and_the_next_one_is_left_alone(
    session: KvmSession, isos: tuple[Path, Path]
) -> None:
    ours, theirs = isos
    first = file_disk("", "sda", "sata", device="cdrom")
    other = file_disk(str(theirs), "sdb", "sata", device="cdrom")
    with foreign(session.connection, first + other) as domain:
        guest_id = domain.UUIDString()
        domain.createWithFlags(PAUSED)
        domain.detachDeviceFlags(first, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
        media_mount(session, guest_id, ours.name)
        assert drives(domain, 0) == [("sda", str(ours)), ("sdb", str(theirs))]
        assert drives(domain) == [("sdb", str(theirs))]
        media_unmount(session, guest_id)
        assert drives(domain, 0) == [("sda", None), ("sdb", str(theirs))]
        assert drives(domain) == [("sdb", str(theirs))]


def test_a_medium_that_only_the_definition_has_is_ejected_too(
    session: KvmSession, guest: str, isos: tuple[Path, Path]
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    domain.create()
    media_mount(session, guest, isos[0].name)
    domain.updateDeviceFlags(file_disk("", "sda", "sata", device="cdrom"), libvirt.VIR_DOMAIN_AFFECT_LIVE)
    media_unmount(session, guest)
    assert drives(domain) == drives(domain, 0) == [("sda", None)]


def test_a_guest_that_starts_meanwhile_has_the_medium_now_and_at_its_next_start(
    session: KvmSession, guest: str, isos: tuple[Path, Path]
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    with after("virDomainHasManagedSaveImage", lambda: domain.createWithFlags(PAUSED), nth=1):
        media_mount(session, guest, isos[0].name)
    assert drives(domain) == drives(domain, 0) == [("sda", str(isos[0]))]


def test_a_guest_that_starts_while_it_gets_a_drive_has_none(
    session: KvmSession, isos: tuple[Path, Path]
) -> None:
    with foreign(session.connection) as domain:
        with (
            after("virDomainIsActive", lambda: domain.createWithFlags(PAUSED), nth=2),
            pytest.raises(libvirt.libvirtError),
        ):
            media_mount(session, domain.UUIDString(), isos[0].name)
        assert drives(domain) == drives(domain, 0) == []


def test_a_guest_that_is_saved_keeps_what_it_was_saved_with(
    session: KvmSession, guest: str, isos: tuple[Path, Path]
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    domain.create()
    media_mount(session, guest, isos[0].name)
    domain.managedSave(0)
    with pytest.raises(InvalidState, match="PAUSED"):
        media_unmount(session, guest)
    with pytest.raises(InvalidState, match="PAUSED"):
        media_mount(session, guest, isos[1].name)
    assert drives(domain) == [("sda", str(isos[0]))]
    domain.managedSaveRemove(0)


def test_an_image_is_inserted_as_it_is_and_what_is_no_image_is_not(
    session: KvmSession, libvirtd: Libvirtd, guest: str, pool: Pool, secret: Path
) -> None:
    domain = session.connection.lookupByUUIDString(guest)
    image = pool.path(".iso")
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", secret, "-F", "raw", image, "2M")
    folder = libvirtd.pool_folder / f"folder-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    refresh(session, libvirtd)
    media_mount(session, guest, image.name)
    assert "type='raw'" in domain.XMLDesc(INACTIVE).partition("device='cdrom'")[2].partition("</disk>")[0]
    with pytest.raises(InvalidArguments, match="neither a file"):
        media_mount(session, guest, folder.name)
    for name in ("../outside", "/etc/passwd", "", "a\nb", "no.iso"):
        with pytest.raises(EntityNotFound, match="ISO"):
            media_mount(session, guest, name)
    assert media_info(session, guest) == Media(name=image.name)
    folder.rmdir()


def test_media_cost_few_calls(session: KvmSession, guest: str, isos: tuple[Path, Path]) -> None:
    session.connection.lookupByUUIDString(guest).create()
    assert round_trips(lambda: media_info(session, guest)) == 2
    assert round_trips(lambda: media_mount(session, guest, isos[0].name)) <= 18
    assert round_trips(lambda: media_info(session, guest)) == 3
    assert round_trips(lambda: media_unmount(session, guest)) <= 9
    assert [item.id for item in guest_list(session, frozenset({"id"})) if item.id == guest] == [guest]
