"""Guests changed on a simulated pool: all of it, or nothing."""

from typing import Any

import msgspec
import pytest

from simplestack import (
    Conflict,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
)
from simplestack_xen.errors import translate
from simplestack_xen.hooks.guests import guest_info
from simplestack_xen.hooks.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.hooks.power import guest_start
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simulators.xapi.simulator import Simulator
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect, Order

MIB = 1024**2


def update(session: XenSession, guest_id: str, **changes: Any) -> Any:
    """Change a guest with a body as it comes over the wire."""
    return guest_update(session, guest_id, msgspec.convert(changes, XenGuestUpdate))


def test_all_members_of_xens_own(pool: Pool, session: XenSession, guest: str) -> None:
    vm = pool.vm()
    sizes = {"memory_target": 512, "memory_static_min": 256, "memory_static_max": 1024}
    assert update(session, guest, memory=sizes).memory == 1024
    assert [
        vm[f"memory_{name}"] // MIB for name in ("static_min", "dynamic_min", "dynamic_max", "static_max")
    ] == [
        256,
        512,
        512,
        1024,
    ]
    assert update(session, guest, cpus={"vcpus_at_startup": 2, "vcpus_max": 4}).cpus == 2
    assert vm["VCPUs_max"] == 4
    update(session, guest, vcpu_settings={"weight": "512"})
    update(session, guest, vcpu_settings={"cap": "80"})
    assert vm["VCPUs_params"] == {"weight": "512", "cap": "80"}
    update(session, guest, ha_enabled=True)
    assert vm["ha_restart_priority"] == "best-effort"
    update(session, guest, ha_enabled=False)
    assert vm["ha_restart_priority"] == ""

    guest_start(session, guest)
    update(session, guest, memory_target_live=700, vcpus_number_live=3)
    assert (vm["memory_dynamic_min"], vm["memory_dynamic_max"]) == (700 * MIB, 700 * MIB)
    (metrics,) = [found for found in pool.all("VM_metrics") if found.ref == vm["metrics"]]
    assert metrics["VCPUs_number"] == 3


def test_paravirtualized_is_a_switch_or_the_kernels_arguments(
    pool: Pool, session: XenSession, guest: str
) -> None:
    vm = pool.vm()
    assert update(session, guest, paravirtualized=True).paravirtualized is True
    assert (vm["PV_bootloader"], vm["domain_type"]) == ("pygrub", "pv")
    assert vm["PV_args"]
    assert update(session, guest, paravirtualized="console=hvc0 ro").paravirtualized is True
    assert vm["PV_args"] == "console=hvc0 ro"
    assert update(session, guest, paravirtualized=False).paravirtualized is False
    assert (vm["PV_args"], vm["HVM_boot_policy"]) == ("", "BIOS order")


@pytest.mark.parametrize(("cpus", "at_most"), [(1, 4), (2, 4), (8, 8)])
def test_cpus_take_the_most_up_and_not_down(
    pool: Pool, session: XenSession, guest: str, cpus: int, at_most: int
) -> None:
    """What the guest can be given while it runs stays what somebody has allowed it."""
    update(session, guest, cpus=4)
    assert update(session, guest, cpus=cpus).cpus == cpus
    assert pool.vm()["VCPUs_max"] == at_most
    guest_start(session, guest)
    update(session, guest, vcpus_number_live=at_most)


def test_high_availability_is_best_effort_unless_somebody_has_promised_more(
    pool: Pool, session: XenSession, guest: str
) -> None:
    """The pool's failover plan must allow `restart`, and may refuse it."""
    update(session, guest, ha_enabled=True)
    assert pool.vm()["ha_restart_priority"] == "best-effort"
    pool.vm()["ha_restart_priority"] = "restart"
    update(session, guest, ha_enabled=True)
    assert pool.vm()["ha_restart_priority"] == "restart"
    update(session, guest, ha_enabled=False)
    assert pool.vm()["ha_restart_priority"] == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": {"memory_target": 4096}},
        {"memory": {"memory_static_min": 1024}},
        {"cpus": {"vcpus_at_startup": 2}},
        {"hdd": 1},
    ],
    ids=str,
)
def test_figures_that_contradict_one_another_are_refused_and_change_nothing(
    session: XenSession, guest: str, changes: dict[str, Any]
) -> None:
    before = guest_info(session, guest)
    with pytest.raises(InvalidArguments):
        update(session, guest, name="other", **changes)
    assert guest_info(session, guest) == before


def test_live_members_need_a_guest_that_runs(session: XenSession, guest: str) -> None:
    with pytest.raises(InvalidState) as refused:
        update(session, guest, memory_target_live=256)
    assert refused.value.details == {"current": "STOPPED", "needed": "STARTED"}


@pytest.mark.parametrize("message", ["VM.set_VCPUs_at_startup", "VM.set_ha_restart_priority", "VDI.resize"])
def test_a_failure_half_way_takes_back_what_was_changed(
    pool: Pool, session: XenSession, guest: str, order: Order, message: str
) -> None:
    def everything() -> dict[str, Any]:
        return {field: pool.vm()[field] for field in pool.vm().class_.fields}

    before = everything()
    order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
    with pytest.raises(XenAPI.Failure, match="it broke"):
        update(session, guest, name="web", memory=1024, cpus=4, ha_enabled=True, hdd=20, paravirtualized=True)
    assert everything() == before


def test_a_running_guests_disk_grows_where_the_storage_can(trust: Trust, log_in: Connect) -> None:
    with running_pool(trust, Simulator(resizes_online=True)) as pool:
        session, uuid = log_in(pool), pool.vm()["uuid"]
        guest_start(session, uuid)
        assert update(session, uuid, hdd=9).hdd == 9


def test_a_running_guests_disk_that_cannot_grow_is_a_conflict_that_says_what_to_do(
    pool: Pool, session: XenSession, guest: str, order: Order
) -> None:
    """Storages cannot, or XAPI has no message for it."""
    guest_start(session, guest)
    with pytest.raises(Conflict, match="stop the guest"):
        update(session, guest, hdd=9)
    order(pool, "Async.VDI.resize_online", code="MESSAGE_REMOVED")
    with pytest.raises(Conflict, match="stop the guest"):
        update(session, guest, hdd=9)
    assert guest_info(session, guest).hdd == 8


def test_a_storage_without_room_is_507(pool: Pool, session: XenSession, guest: str) -> None:
    with pytest.raises(XenAPI.Failure) as failed:
        update(session, guest, hdd=1500)
    assert isinstance(translate(failed.value), InsufficientStorage)
