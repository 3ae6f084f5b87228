"""Guests of images and ISOs on a real libvirtd: what they hold, and in which format."""

from contextlib import ExitStack
from pathlib import Path

import libvirt
import pytest

from simplestack import (
    GIB,
    MIB,
    Conflict,
    DiskCreate,
    GuestCreate,
    GuestState,
)
from simplestack_kvm import errors
from simplestack_kvm.hooks.disks import disk_create, disk_list
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.libvirtd.connection.documents import parse_document
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .domains import foreign
from .image_guests import (
    CONTENT,
    Pool,
    alone,
    assert_rejected,
    content_of_a_guest,
    first_bytes,
    qcow2,
    qemu_img,
    refresh,
    wanted,
)
from .interference import after

PAUSED = libvirt.VIR_DOMAIN_START_PAUSED


@pytest.mark.parametrize("image_format", ["raw", "qcow2", "vmdk", "vdi", "qed", "qcow", "vpc"])
def test_an_image_of_any_format_that_stands_alone_is_copied(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, image_format: str
) -> None:
    assert content_of_a_guest(session, libvirtd, alone(pool, image_format=image_format)) == CONTENT


def test_an_image_that_is_based_on_images_in_the_pools_is_copied_with_them(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    raw = pool.path(".img")
    raw.write_bytes(CONTENT.ljust(2 * MIB, b"\0"))
    middle = qcow2(pool, raw)
    top = qcow2(pool, middle.name, "qcow2")
    made = guest_create(session, wanted(top, libvirtd))
    try:
        for path in (top, middle, raw):
            path.unlink()
        (disk,) = disk_list(session, made.id)
        assert first_bytes(str(disk.extra_info)) == CONTENT
    finally:
        guest_delete(session, made.id)


def test_an_image_that_was_filled_after_libvirt_looked_is_copied_for_what_it_is(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = pool.path(".qcow2")
    image.touch()
    refresh(session, libvirtd)
    image.write_bytes(alone(pool).read_bytes())
    assert content_of_a_guest(session, libvirtd, image) == CONTENT
    image.write_bytes(CONTENT.ljust(MIB, b"\0"))  # and the other way round
    assert content_of_a_guest(session, libvirtd, image) == CONTENT


def test_an_image_that_was_replaced_by_a_larger_one_is_copied_as_a_whole(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    image.unlink()
    qemu_img("create", "-q", "-f", "qcow2", image, "1G")
    made = guest_create(session, wanted(image, libvirtd))
    assert made.hdd == 1
    guest_delete(session, made.id)


def test_the_disk_of_a_guest_that_is_off_is_an_image(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    first = guest_create(session, wanted(alone(pool), libvirtd))
    (disk,) = disk_list(session, first.id)
    assert content_of_a_guest(session, libvirtd, Path(str(disk.extra_info))) == CONTENT
    guest_delete(session, first.id)


def test_an_image_in_use_by_a_running_guest_is_a_conflict_without_commands_and_paths(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    image = alone(pool)
    refresh(session, libvirtd)
    device = (
        f"<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
        "<target dev='vda' bus='virtio'/></disk>"
    )
    with foreign(session.connection, device) as domain:
        domain.createWithFlags(PAUSED)
        error = assert_rejected(session, libvirtd, image, error=Conflict)
        assert "running guest" in error.message
        assert "qemu-img" not in error.message
        domain.destroy()
        assert content_of_a_guest(session, libvirtd, image) == CONTENT


def cdrom(session: KvmSession, guest_id: str) -> tuple[str | None, str | None]:
    document = parse_document(session.connection.lookupByUUIDString(guest_id).XMLDesc())
    driver = document.find("devices/disk[@device='cdrom']/driver")
    source = document.find("devices/disk[@device='cdrom']/source")
    return (None if driver is None else driver.get("type"), None if source is None else source.get("file"))


def test_an_iso_is_attached_as_it_is_whatever_it_holds(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool, secret: Path
) -> None:
    iso = pool.path(".iso")
    iso.write_bytes((b"\0" * 32769 + b"CD001\1").ljust(MIB, b"\0"))
    for medium in (iso, qcow2(pool, secret), alone(pool)):
        with ExitStack() as stack:
            made = guest_create(
                session,
                GuestCreate(name="with a CD", memory=32, iso=medium.name, storage=libvirtd.pool, start=True),
            )
            domain = session.connection.lookupByUUIDString(made.id)
            stack.callback(domain.undefine)
            stack.callback(domain.destroy)
            assert made.state == GuestState.STARTED
            assert cdrom(session, made.id) == ("raw", str(medium))


def test_a_new_disk_has_the_format_that_it_was_made_in_whatever_is_found_in_it(
    session: KvmSession, libvirtd: Libvirtd, pool: Pool
) -> None:
    known = set(libvirtd.pool_folder.iterdir())

    def overwrite() -> None:
        (made,) = set(libvirtd.pool_folder.iterdir()) - known
        made.write_bytes(CONTENT)
        refresh(session, libvirtd)

    with foreign(session.connection) as domain, ExitStack() as stack:
        with after("virStorageVolCreateXML", overwrite):
            disk = disk_create(session, domain.UUIDString(), DiskCreate(size=1, storage_id=libvirtd.pool))
        stack.callback(Path(str(disk.extra_info)).unlink)
        document = parse_document(domain.XMLDesc())
        assert [driver.get("type") for driver in document.iterfind("devices/disk/driver")] == ["qcow2"]


def test_a_new_volume_can_grow_with_snapshots(session: KvmSession, libvirtd: Libvirtd, pool: Pool) -> None:
    made = guest_create(session, wanted(alone(pool), libvirtd))
    domain = session.connection.lookupByUUIDString(made.id)
    try:
        (disk,) = disk_list(session, made.id)
        domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
        session.connection.storageVolLookupByPath(str(disk.extra_info)).resize(GIB)
        assert disk_list(session, made.id)[0].size == 1
    finally:
        guest_delete(session, made.id)


def test_a_translated_error_names_no_command_and_no_path() -> None:
    error = libvirt.libvirtError("failed")
    text = (
        "internal error: Child process (/usr/bin/qemu-img convert -f qcow2 /srv/a (1).img /srv/b) unexpected "
        "exit status 1: qemu-img: Could not open '/srv/pool/a.img': Image is corrupt"
    )
    error.err = (1, 18, text, 2, "", None, None, -1, 0)
    translated = errors.translate(error)
    assert translated is not None
    assert "/" not in translated.message
    assert "convert" not in translated.message
    assert "Image is corrupt" in translated.message
