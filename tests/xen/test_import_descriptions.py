"""What the query of an import says of the guest, on a simulated pool."""

import io

import pytest

from simplestack import Conflict, EntityNotFound, Guest, GuestImport, InvalidState
from simplestack_xen.hooks.guests import guest_delete, guest_info
from simplestack_xen.hooks.interfaces import network_interface_list
from simplestack_xen.hooks.power import guest_start, guest_suspend
from simplestack_xen.hooks.transfer import guest_export, guest_import
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from support.xapi import Pool

from .conftest import Order
from .test_transfer import Upload

EVERYTHING = GuestImport(
    name="web",
    memory=768,
    cpus=3,
    network=["Pool-wide network 1", "Pool-wide network 0"],
    firmware="uefi",
    paravirtualized=False,
    start=True,
)


@pytest.fixture
def image(pool: Pool, session: XenSession) -> bytes:
    """Give an image of a stopped guest."""
    return b"".join(guest_export(session, pool.vm()["uuid"]).chunks)


def load(session: XenSession, image: bytes, description: GuestImport) -> Guest:
    return guest_import(session, io.BytesIO(image), len(image), None, description)


def test_a_guest_is_what_the_query_says(pool: Pool, session: XenSession, image: bytes) -> None:
    before = pool.counts()
    made = load(session, image, EVERYTHING)
    assert (made.name, made.memory, made.cpus, made.paravirtualized) == ("web", 768, 3, False)
    assert (made.state, made.hdd) == ("STARTED", 8)
    assert pool.vm("web")["HVM_boot_params"]["firmware"] == "uefi"
    networks = [found.network for found in network_interface_list(session, made.id)]
    assert networks == EVERYTHING.network
    session.tasks.run.VM.hard_shutdown(pool.vm("web").ref)
    guest_delete(session, made.id)
    assert pool.counts() == before


def test_what_the_query_does_not_say_is_as_in_the_image(
    pool: Pool, session: XenSession, image: bytes
) -> None:
    origin = guest_info(session, pool.vm()["uuid"])
    made = load(session, image, GuestImport(name="web"))
    assert (made.name, made.memory, made.cpus, made.state) == ("web", origin.memory, origin.cpus, "STOPPED")
    assert len(network_interface_list(session, made.id)) == 1


@pytest.mark.parametrize(
    ("description", "error"),
    [
        (GuestImport(name="vm-1"), Conflict),
        (GuestImport(network=["none"]), EntityNotFound),
        (GuestImport(firmware="bios", paravirtualized=True), NotImplementedError),
    ],
)
def test_a_query_that_cannot_be_done_is_rejected_before_the_image_is_read(
    pool: Pool, session: XenSession, image: bytes, description: GuestImport, error: type[Exception]
) -> None:
    before, upload = pool.counts(), Upload(image)
    with pytest.raises(error):
        guest_import(session, upload, len(image), None, description)
    assert upload.read_bytes == 0
    assert pool.counts() == before


@pytest.mark.parametrize(
    "message",
    [
        *("Async.VM.set_memory_limits", "Async.VM.set_VCPUs_at_startup", "VM.set_HVM_boot_params"),
        *("VIF.destroy", "VIF.create", "VM.set_name_label", "Async.VM.start"),
    ],
)
def test_a_query_that_fails_half_way_leaves_no_guest(
    pool: Pool, session: XenSession, image: bytes, order: Order, message: str
) -> None:
    before = pool.counts()
    order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
    with pytest.raises(XenAPI.Failure, match="it broke"):
        load(session, image, EVERYTHING)
    assert pool.counts() == before


def test_a_suspended_image_gets_a_name_and_runs_but_keeps_its_hardware(
    pool: Pool, session: XenSession
) -> None:
    origin = pool.vm()["uuid"]
    guest_start(session, origin)
    guest_suspend(session, origin)
    image = b"".join(guest_export(session, origin).chunks)
    before = pool.counts()
    for description in (
        GuestImport(memory=512),
        GuestImport(network=["Pool-wide network 1"]),
        GuestImport(firmware="uefi"),
    ):
        with pytest.raises(InvalidState, match="change the hardware of the imported guest"):
            load(session, image, description)
    assert pool.counts() == before
    assert load(session, image, GuestImport(name="web", start=True)).state == "STARTED"
