"""CD drives of guests on a simulated pool."""

import pytest

from simplestack import (
    Conflict,
    EntityNotFound,
    InvalidState,
)
from simplestack_xen.hooks.media import media_info, media_mount, media_unmount
from simplestack_xen.hooks.power import guest_start
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .conftest import Order


def test_a_drive_is_made_where_there_is_none(pool: Pool, session: XenSession, guest: str) -> None:
    assert media_info(session, guest).name is None
    media_unmount(session, guest)
    media_mount(session, guest, "debian.iso")
    media_mount(session, guest, "guest-tools.iso")
    assert media_info(session, guest).name == "guest-tools.iso"
    assert len([drive for drive in pool.all("VBD") if drive["VM"] == pool.vm().ref]) == 2


def test_a_guest_that_runs_and_has_no_drive_gets_none(pool: Pool, session: XenSession, guest: str) -> None:
    """Xen plugs no CD drive into a whole machine."""
    guest_start(session, guest)
    before = pool.counts()
    with pytest.raises(InvalidState, match="no CD drive"):
        media_mount(session, guest, "debian.iso")
    assert pool.counts() == before


def test_an_image_that_goes_away_meanwhile_is_no_image(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    media_mount(session, guest, "debian.iso")
    order(pool, "VDI.get_record", code="HANDLE_INVALID", parameters=["VDI", "OpaqueRef:1"])
    assert media_info(session, guest).name is None


def test_a_disk_is_no_iso_whatever_it_is_called(session: XenSession, guest: str) -> None:
    with pytest.raises(EntityNotFound):
        media_mount(session, guest, "debian-12")


def test_what_was_in_the_drive_comes_back_when_the_insert_fails(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    media_mount(session, guest, "debian.iso")
    order(pool, "VBD.insert", code="INTERNAL_ERROR", parameters=["it broke"])
    with pytest.raises(XenAPI.Failure, match="it broke"):
        media_mount(session, guest, "guest-tools.iso")
    assert media_info(session, guest).name == "debian.iso"


def test_an_iso_of_two_libraries_is_named_by_its_id(pool: Pool, session: XenSession, guest: str) -> None:
    isos = [found for found in pool.all("VDI") if found["name_label"].endswith(".iso")]
    isos[1]["name_label"] = "debian.iso"
    with pytest.raises(Conflict) as refused:
        media_mount(session, guest, "debian.iso")
    assert isos[1]["uuid"] in refused.value.message
    media_mount(session, guest, isos[1]["uuid"])
    assert media_info(session, guest).name == "debian.iso"
