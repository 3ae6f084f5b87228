"""The firmware of new guests on a simulated pool."""

from typing import Any, cast

import msgspec
import pytest

from simplestack import GuestCreate
from simplestack_xen.hooks.guests_create import guest_create
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.datamodel import classes
from support.xapi import Pool

from .conftest import Order

TEMPLATE = "Debian Bookworm 12"


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
@pytest.mark.parametrize("template", [None, TEMPLATE, "vm-0"])
def test_a_guest_has_the_firmware_of_the_request_and_keeps_its_order_of_devices(
    pool: Pool, session: XenSession, firmware: str, template: str | None
) -> None:
    order = {} if template is None else dict(pool.vm(template)["HVM_boot_params"])
    wanted = {"name": "web", "memory": 256, "template": template, "firmware": firmware, "start": True}
    made = guest_create(session, msgspec.convert(wanted, GuestCreate))
    expected = ({"order": "cdn"} if template is None else order) | {"firmware": firmware}
    assert pool.vm("web")["HVM_boot_params"] == expected
    assert made.state == "STARTED"
    if template is not None:
        assert pool.vm(template)["HVM_boot_params"] == order


def test_a_copy_has_the_firmware_of_its_template_unless_the_request_says_otherwise(
    pool: Pool, session: XenSession
) -> None:
    pool.vm()["HVM_boot_params"] = {"order": "dc", "firmware": "uefi"}
    guest_create(session, GuestCreate(name="same", template="vm-0"))
    guest_create(session, GuestCreate(name="other", template="vm-0", firmware="bios"))
    assert pool.vm("same")["HVM_boot_params"] == {"order": "dc", "firmware": "uefi"}
    assert pool.vm("other")["HVM_boot_params"] == {"order": "dc", "firmware": "bios"}


def test_a_paravirtualized_guest_has_no_firmware(pool: Pool, session: XenSession) -> None:
    before = pool.counts()
    pool.vm()["domain_type"] = "pv"
    for wanted in (
        GuestCreate(name="web", memory=256, firmware="bios", paravirtualized=True),
        GuestCreate(name="web", template="vm-0", firmware="uefi"),
        GuestCreate(name="web", template="vm-1", firmware="uefi", paravirtualized=True),
    ):
        with pytest.raises(NotImplementedError, match="paravirtualized guests have no firmware"):
            guest_create(session, wanted)
    assert pool.counts() == before


def test_a_pool_without_uefi_says_so_and_leaves_nothing(
    pool: Pool, session: XenSession, wire: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """XAPI has the variables of UEFI since it has UEFI."""
    session.api._speaks_json = wire == "JSON-RPC"
    monkeypatch.delitem(cast("dict[str, Any]", classes()["VM"].fields), "NVRAM")
    before = pool.counts()
    for template in (None, "vm-0"):
        with pytest.raises(NotImplementedError, match="do not support UEFI"):
            guest_create(session, GuestCreate(name="web", memory=256, template=template, firmware="uefi"))
    assert pool.counts() == before
    assert guest_create(session, GuestCreate(name="web", memory=256, firmware="bios")).name == "web"


def test_a_firmware_that_cannot_be_set_leaves_nothing(pool: Pool, session: XenSession, order: Order) -> None:
    before = pool.counts()
    order(pool, "VM.set_HVM_boot_params", code="INTERNAL_ERROR", parameters=["it broke"])
    with pytest.raises(XenAPI.Failure, match="it broke"):
        guest_create(session, GuestCreate(name="web", template="vm-0", firmware="uefi"))
    assert pool.counts() == before
