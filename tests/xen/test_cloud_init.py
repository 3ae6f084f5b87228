"""Data for cloud-init on a simulated pool: what a guest has, what clients see, and where it goes."""

import msgspec
import pytest

from simplestack import CloudInit, DiskCreate, DiskUpdate, EntityNotFound, GuestCreate
from simplestack_xen.hooks.disks import disk_create, disk_delete, disk_info, disk_list, disk_update
from simplestack_xen.hooks.guests import guest_clone, guest_delete, guest_info, guest_list
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.hooks.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.hooks.media import media_info
from simplestack_xen.hooks.power import guest_shutdown, guest_start
from simplestack_xen.hooks.snapshots import snapshot_create, snapshot_delete, snapshot_revert
from simplestack_xen.hooks.transfer import guest_export
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.simulator import Simulator
from support.xapi import Pool, Trust, running_pool

from .cloud_init_guests import DATA, KEY, SECRET, WANTED, content, secrets_in, seeds
from .conftest import Connect

TEMPLATE = "Debian Bookworm 12"
ALL = frozenset({"hdd"})


def test_a_new_guest_has_its_data_on_a_disk_that_only_the_guest_sees(pool: Pool, session: XenSession) -> None:
    made = guest_create(session, msgspec.structs.replace(WANTED, hostname="web-1", ssh_keys=["ssh-rsa AAAA"]))
    (image,) = seeds(pool)
    written = content(pool, image)
    assert written[0x8028:0x802E] == b"cidata"
    assert f"password: {SECRET}".encode() in written
    for text in (f'"instance-id": "{made.id}"', '"local-hostname": "web-1"', '"ssh-rsa AAAA"'):
        assert text.encode() in written
    assert image["virtual_size"] == 2 * 1024**2, "the storage rounds up"
    (drive,) = (found for found in pool.all("VBD") if found["VDI"] == image.ref)
    assert (drive["userdevice"], drive["bootable"], drive["mode"], drive["type"]) == (
        "15",
        False,
        "RW",
        "Disk",
    )
    assert (made.hdd, [disk.id for disk in disk_list(session, made.id)]) == (1, ["0"])
    (listed,) = (guest for guest in guest_list(session, ALL) if guest.id == made.id)
    assert listed.hdd == 1
    assert media_info(session, made.id).name is None
    for access in (
        lambda: disk_info(session, made.id, "15"),
        lambda: disk_update(session, made.id, "15", DiskUpdate(name="mine")),
        lambda: disk_delete(session, made.id, "15"),
    ):
        with pytest.raises(EntityNotFound, match="Disk:15"):
            access()
    assert guest_update(session, made.id, XenGuestUpdate(hdd=2)).hdd == 2
    assert image["virtual_size"] == 2 * 1024**2
    assert disk_create(session, made.id, DiskCreate(size=1)).id == "1"
    guest_start(session, made.id)
    assert drive["currently_attached"]
    assert guest_info(session, made.id).hdd == 3


@pytest.mark.parametrize("wanted", [{"template": TEMPLATE}, {"template": "vm-0"}, {"image": "debian-12"}, {}])
@pytest.mark.parametrize("paravirtualized", [True, False])
def test_all_kinds_of_guests_have_data_and_leave_none(
    pool: Pool, session: XenSession, wanted: dict[str, str], paravirtualized: bool
) -> None:
    before = pool.counts()
    own = {"name": "web", "memory": 256, "hostname": "web-1", "start": True} | wanted
    made = guest_create(session, msgspec.convert(own | {"paravirtualized": paravirtualized}, GuestCreate))
    (image,) = seeds(pool, "web")
    assert image["other_config"] == {KEY: made.id}
    guest_shutdown(session, made.id, force=True)
    guest_delete(session, made.id)
    assert pool.counts() == before


def test_a_copy_has_its_own_data(pool: Pool, session: XenSession, web: str) -> None:
    copy = guest_clone(session, web, "copy", CloudInit(hostname="copy-1")).id
    (image,) = seeds(pool, "copy")
    written = content(pool, image)
    assert f'"instance-id": "{copy}"'.encode() in written
    assert b'"local-hostname": "copy-1"' in written
    assert SECRET.encode() not in written
    assert image["other_config"][KEY] == pool.vm("copy")["other_config"][KEY] == copy
    assert secrets_in(pool) == ["web cloud-init"]
    guest_delete(session, web)
    assert seeds(pool) == [image]


def test_the_data_goes_where_the_guests_disks_are(pool: Pool, session: XenSession) -> None:
    second, third = pool.add_storage("Second"), pool.add_storage("Third")
    by_disk = {"disks": [{"size": 1, "storage": "Third"}]}
    for name, more in (("a", {"storage": "Second"}), ("b", by_disk), ("c", by_disk | {"storage": "Second"})):
        wanted = {"name": name, "memory": 256, "hostname": name}
        guest_create(session, msgspec.convert(wanted | more, GuestCreate))
    assert [seeds(pool, name)[0]["SR"] for name in "abc"] == [second.ref, third.ref, second.ref]
    clone = guest_clone(session, pool.vm("b")["uuid"], "d", DATA)
    of_template = guest_create(session, GuestCreate(name="e", template=clone.id, hostname="e"))
    assert [seeds(pool, name)[0]["SR"] for name in "de"] == [third.ref] * 2
    assert of_template.hdd == 1


def test_a_guest_whose_last_device_is_taken_has_its_data_elsewhere(pool: Pool, session: XenSession) -> None:
    (drive,) = (found for found in pool.all("VBD") if found["VM"] == pool.vm().ref)
    drive["userdevice"] = "xvdp"
    guest_create(session, GuestCreate(name="web", template="vm-0", hostname="web"))
    (image,) = seeds(pool, "web")
    (drive,) = (found for found in pool.all("VBD") if found["VDI"] == image.ref)
    assert drive["userdevice"] == "0"


def test_the_data_is_no_image_to_create_guests_from(pool: Pool, session: XenSession, web: str) -> None:
    (image,) = seeds(pool)
    for named in (image["name_label"], image["uuid"]):
        with pytest.raises(EntityNotFound, match="Image"):
            guest_create(session, GuestCreate(name="thief", memory=256, image=named))


def test_a_snapshot_has_a_copy_of_the_data_which_goes_with_it(
    pool: Pool, session: XenSession, web: str
) -> None:
    counts = pool.counts()
    snapshot = snapshot_create(session, web, "then")
    assert len(seeds(pool)) == 2
    snapshot_delete(session, web, snapshot.id)
    assert pool.counts() == counts


@pytest.mark.parametrize("reverts_disks", [False, True])
def test_a_reverted_guest_has_its_data_and_is_deleted_with_it(
    trust: Trust, log_in: Connect, reverts_disks: bool, warned: list[str]
) -> None:
    with running_pool(trust, Simulator(reverts_disks=reverts_disks)) as pool:
        session = log_in(pool)
        web = guest_create(session, WANTED).id
        snapshot = snapshot_create(session, web, "then")
        snapshot_revert(session, web, snapshot.id)
        assert warned == []
        (image,) = seeds(pool, "web")
        assert SECRET.encode() in content(pool, image)
        assert [disk.id for disk in disk_list(session, web)] == ["0"]
        assert guest_info(session, web).hdd == 1
        guest_delete(session, web)
        assert seeds(pool) == []
        assert secrets_in(pool) == []


def test_an_export_says_that_it_has_the_data(session: XenSession, web: str, warned: list[str]) -> None:
    assert SECRET.encode() in b"".join(guest_export(session, web).chunks)
    assert ["cloud-init" in text for text in warned] == [True]
    copy = guest_clone(session, web, "copy", None).id
    assert SECRET.encode() not in b"".join(guest_export(session, copy).chunks)
    assert len(warned) == 1
