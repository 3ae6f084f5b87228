"""Images whose disks are marked as data for cloud-init, but not their guest: anybody can write one."""

import io

import pytest

from simplestack import CloudInit
from simplestack_xen.hooks.disks import disk_list
from simplestack_xen.hooks.guests import guest_clone, guest_delete
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.cloud_init import remove_copied_data
from simplestack_xen.xapi.lookups import Vm
from simplestack_xen.xapi.records import VmRecord
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .cloud_init_guests import KEY, SECRET, content, seeds
from .conftest import Order


@pytest.fixture
def image(pool: Pool, session: XenSession, web: str) -> bytes:
    """Give an image of a guest with data for cloud-init: its disks are marked, but not the guest."""
    vm, marked = pool.vm("web"), seeds(pool)
    (disk,) = [found for found in pool.all("VDI") if found["name_label"].startswith("web disk")]
    del vm["other_config"][KEY]
    disk["other_config"][KEY] = web
    written = b"".join(guest_export(session, web).chunks)
    vm["other_config"][KEY] = web
    del disk["other_config"][KEY]
    assert seeds(pool) == marked
    return written


def load(session: XenSession, image: bytes) -> str:
    return guest_import(session, io.BytesIO(image), len(image), None, None).id


def test_a_disk_is_not_hidden_because_an_image_says_so(
    pool: Pool, session: XenSession, image: bytes, web: str, warned: list[str]
) -> None:
    (before,), origin, counts = seeds(pool), pool.vm("web"), pool.counts()
    was = content(pool, before)
    warned.clear()
    copy = load(session, image)
    assert [disk.size for disk in disk_list(session, copy)] == [1, 2 / 1024]
    assert len(warned) == 2
    assert all("is kept as a disk of the guest: it is marked as data" in text for text in warned)
    assert (seeds(pool), content(pool, before)) == ([before], was)
    assert origin["other_config"][KEY] == web
    guest_delete(session, copy)
    assert (seeds(pool), pool.counts()) == ([before], counts)


def test_a_clone_of_such_a_guest_loses_no_disk(
    pool: Pool, session: XenSession, image: bytes, warned: list[str]
) -> None:
    copy = load(session, image)
    for disk in pool.all("VDI"):  # as an older version imported it, or another tool
        if SECRET.encode() in content(pool, disk):
            disk["other_config"][KEY] = "another guest"
    clone = guest_clone(session, copy, "clone", CloudInit(hostname="clone"))
    assert [disk.size for disk in disk_list(session, clone.id)] == [1, 2 / 1024]
    assert len(seeds(pool, "clone")) == 1


def test_a_drive_with_another_guests_data_is_removed_from_an_unmarked_guest(
    pool: Pool, session: XenSession, web: str
) -> None:
    (data,), other = seeds(pool), pool.vm("vm-1")
    was, drives_before = content(pool, data), list(other["VBDs"])
    pool.share(data, other)
    record = session.api.read(VmRecord, "VM.get_record", other.ref)
    assert remove_copied_data(session, Vm(other.ref, record)) == []
    assert (seeds(pool), content(pool, data)) == ([data], was)
    assert data["other_config"][KEY] == web
    assert other["VBDs"] == drives_before


def test_an_import_whose_disk_stays_marked_leaves_nothing(
    pool: Pool, session: XenSession, image: bytes, order: Order
) -> None:
    counts, before = pool.counts(), seeds(pool)
    order(pool, "VDI.remove_from_other_config", code="INTERNAL_ERROR", parameters=["it broke"])
    with pytest.raises(XenAPI.Failure, match="INTERNAL_ERROR"):
        load(session, image)
    assert (pool.counts(), seeds(pool)) == (counts, before)
