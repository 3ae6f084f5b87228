"""Changes that fail half-way: all that was done is taken back, whatever else fails."""

from typing import Any

import pytest

from simplestack import HypervisorError, NetworkInterfaceUpdate
from simplestack_xen.hooks.interfaces import network_interface_list, network_interface_update
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.images import create_image
from simplestack_xen.xapi.making import Making
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simplestack_xen.xapi.undo import Undo
from support.xapi import Pool

from .conftest import Order


@pytest.mark.parametrize(
    "again",
    [{"code": "INTERNAL_ERROR", "parameters": ["once more"]}, {"effect": "drop before", "times": 2}],
    ids=["refused", "broken"],
)
def test_a_step_that_cannot_be_taken_back_keeps_no_other_from_it_and_the_first_error_is_told(
    pool: Pool, session: XenSession, guest: str, order: Order, again: dict[str, Any]
) -> None:
    (before,) = network_interface_list(session, guest)
    order(pool, "VIF.set_qos_algorithm_type", code="INTERNAL_ERROR", parameters=["it broke"])
    order(pool, "VIF.set_qos_algorithm_type", **again)
    changes = NetworkInterfaceUpdate(
        ipv4_allowed=["192.0.2.1"], ipv6_allowed=["2001:db8::1"], ratelimit=1_000_000
    )
    with pytest.raises(HypervisorError) as failed:
        network_interface_update(session, guest, before.id, changes)
    assert failed.value.message == (
        "XAPI failed: INTERNAL_ERROR (it broke); VIF.set_qos_algorithm_type failed, too"
    )
    assert isinstance(failed.value.__cause__, XenAPI.Failure)
    assert pool.simulator.counts["VIF.set_qos_algorithm_type"] == 1 + again.get("times", 1)
    assert network_interface_list(session, guest) == [before]


def test_a_defect_takes_back_what_was_made_too(pool: Pool, session: XenSession) -> None:
    before = pool.counts()

    def fail_half_way() -> None:
        with Undo() as undo:
            create_image(
                session, undo, Making(session), find_disk_sr(session, None), 1024**3, name="half-made"
            )
            assert pool.count("VDI") == before["VDI"] + 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert pool.counts() == before


@pytest.mark.parametrize("effect", ["drop before", "drop after"])
def test_what_was_made_is_removed_even_if_the_connection_breaks(
    pool: Pool, session: XenSession, order: Order, effect: str
) -> None:
    before = pool.counts()
    order(pool, "VDI.destroy", effect=effect)

    def fail_half_way() -> None:
        with Undo() as undo:
            create_image(
                session, undo, Making(session), find_disk_sr(session, None), 1024**3, name="half-made"
            )
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert pool.simulator.counts["VDI.destroy"] == 2
    assert pool.counts() == before
