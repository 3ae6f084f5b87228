"""Disks, network interfaces and networks on a simulated pool."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    EntityNotFound,
    HypervisorError,
    InvalidArguments,
    InvalidState,
    NetworkCreate,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack_xen.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_xen.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_info,
    network_interface_list,
    network_interface_update,
)
from simplestack_xen.hooks.networks import network_info, network_list, network_vlan_create
from simplestack_xen.hooks.pools import pool_info
from simplestack_xen.hooks.power import guest_shutdown, guest_start, guest_suspend
from simplestack_xen.hooks.storages import storage_list
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from simulators.xapi.database import Object
from simulators.xapi.simulator import Simulator
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect, Order


def vif(pool: Pool) -> Object:
    """Return the interface of `vm-0` as the simulator has it."""
    (found,) = [found for found in pool.all("VIF") if found["VM"] == pool.vm().ref]
    return found


def change(session: XenSession, guest_id: str, **changes: Any) -> Any:
    """Change a guest's first interface with a body as it comes over the wire."""
    first = network_interface_list(session, guest_id)[0]
    body = msgspec.convert(changes, NetworkInterfaceUpdate)
    return network_interface_update(session, guest_id, first.id, body)


class TestStorages:
    def test_only_those_that_are_connected_are_listed(self, pool: Pool, session: XenSession) -> None:
        pool.storage("ISO library")["PBDs"] = []
        found = {storage.name: storage.type for storage in storage_list(session)}
        assert "ISO library" not in found
        assert {found["DVD drives"], found["Removable storage"]} == {"udev"}

    def test_a_disk_goes_to_the_settings_storage_the_pools_or_the_roomiest(
        self, pool: Pool, session: XenSession, log_in: Connect
    ) -> None:
        second = pool.add_storage("Second")
        assert find_disk_sr(session, None).record.name_label == "Local storage"
        assert find_disk_sr(log_in(pool, default_storage="Second"), None).ref == second.ref
        (own,) = pool.all("pool")
        own["default_SR"] = "OpaqueRef:NULL"
        assert find_disk_sr(session, None).ref == second.ref, "which has nothing in it"
        pool.storage()["shared"] = True
        assert find_disk_sr(session, None).record.name_label == "Local storage", "which all hosts can use"

    def test_disks_go_to_no_storage_that_is_not_connected_or_holds_other_things(
        self, pool: Pool, session: XenSession
    ) -> None:
        second, drives = pool.add_storage("Second"), pool.add_storage("USB sticks")
        drives["type"], drives["physical_size"] = "udev", 2**60
        (own,) = pool.all("pool")
        pool.disconnect("Local storage")
        with pytest.raises(Conflict, match="default storage 'Local storage' is not connected to any host"):
            find_disk_sr(session, None)
        with pytest.raises(Conflict, match="storage 'Local storage' is not connected to any host"):
            find_disk_sr(session, "Local storage")
        own["default_SR"] = "OpaqueRef:NULL"
        assert find_disk_sr(session, None).ref == second.ref
        pool.disconnect("Second")
        with pytest.raises(Conflict):
            find_disk_sr(session, None)
        for name in ("ISO library", "USB sticks"):
            with pytest.raises(InvalidArguments):
                find_disk_sr(session, name)


class TestInterfaces:
    def test_a_rate_is_given_in_bits_rounded_up_to_xapis_unit_and_lifted_without_a_trace(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        assert change(session, guest, ratelimit=10_485_760).rate_limit == {"kbps": "1280"}
        assert change(session, guest, ratelimit=8193).ratelimit == 2 * 8192
        assert change(session, guest, ratelimit=1).ratelimit == 8192
        assert change(session, guest, ratelimit=False).ratelimit is None
        assert (vif(pool)["qos_algorithm_type"], vif(pool)["qos_algorithm_params"]) == ("", {})

    def test_a_new_rate_replugs_an_interface_in_use_and_an_old_one_does_not(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        assert change(session, guest, ratelimit=8192).active
        counts = pool.simulator.counts
        assert (counts["Async.VIF.unplug"], counts["Async.VIF.plug"]) == (1, 1)
        assert change(session, guest, ratelimit=8192).active
        assert counts["Async.VIF.unplug"] == 1

    def test_a_locking_mode_and_addresses_change_in_place(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        before = vif(pool).ref
        changed = change(
            session, guest, locking_mode="locked", ipv4_allowed=["10.0.0.1"], ipv6_allowed=["fe80::1"]
        )
        assert (changed.locking_mode, changed.ipv4_allowed, changed.ipv6_allowed) == (
            "locked",
            ["10.0.0.1"],
            ["fe80::1"],
        )
        assert vif(pool).ref == before
        assert pool.simulator.counts["Async.VIF.unplug"] == 0

    @pytest.mark.parametrize(
        "wrong",
        [{"ipv4_allowed": ["fe80::1"]}, {"ipv6_allowed": ["10.0.0.1"]}, {"ipv6_allowed": ["x"]}],
        ids=str,
    )
    def test_addresses_that_are_none_are_refused_before_anything_is_changed(
        self, session: XenSession, guest: str, wrong: dict[str, Any]
    ) -> None:
        before = network_interface_list(session, guest)
        with pytest.raises(InvalidArguments):
            change(session, guest, locking_mode="locked", network="Pool-wide network 1", **wrong)
        assert network_interface_list(session, guest) == before

    def test_one_that_is_switched_off_lets_nothing_through_when_the_guest_is_started(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        """XAPI plugs in all that a guest has, and takes none out of one that is starting."""
        off = change(session, guest, active=False)
        assert (off.active, off.locking_mode) == (False, "network_default")
        guest_start(session, guest)
        assert pool.vm()["power_state"] == "Running"
        assert vif(pool)["locking_mode"] == "disabled"
        assert network_interface_list(session, guest) == [off]
        assert change(session, guest, locking_mode="locked").locking_mode == "locked"
        assert vif(pool)["locking_mode"] == "disabled"
        on = change(session, guest, active=True)
        assert (on.active, on.locking_mode) == (True, "locked")
        assert (vif(pool)["locking_mode"], vif(pool)["other_config"]) == ("locked", {})

    def test_one_that_is_switched_off_is_taken_out_of_a_running_guest_and_put_back(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        assert not change(session, guest, active=False).active
        assert not vif(pool)["currently_attached"]
        assert change(session, guest, active=True).active
        assert vif(pool)["currently_attached"]
        guest_shutdown(session, guest, force=True)
        assert network_interface_list(session, guest)[0].active

    def test_one_is_switched_off_though_the_guest_has_no_tools_to_let_it_go(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        order(pool, "VIF.unplug", code="VM_MISSING_PV_DRIVERS", parameters=[pool.vm().ref])
        assert not change(session, guest, active=False).active
        assert (vif(pool)["locking_mode"], vif(pool)["currently_attached"]) == ("disabled", True)

    def test_one_that_is_off_and_cannot_be_taken_out_is_given_a_new_rate_where_it_is(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        order(pool, "VIF.unplug", code="VM_MISSING_PV_DRIVERS", parameters=[pool.vm().ref], times=3)
        change(session, guest, active=False)
        assert change(session, guest, ratelimit=8192).ratelimit == 8192
        assert (vif(pool)["locking_mode"], vif(pool)["currently_attached"]) == ("disabled", True)

    def test_one_that_cannot_be_put_back_with_its_new_rate_is_put_back_with_the_old_one(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        order(pool, "VIF.plug", code="DEVICE_ATTACH_TIMEOUT", parameters=["VIF", "OpaqueRef:1"])
        with pytest.raises(XenAPI.Failure, match="DEVICE_ATTACH_TIMEOUT"):
            change(session, guest, ratelimit=8192)
        assert (vif(pool)["currently_attached"], vif(pool)["qos_algorithm_params"]) == (True, {})

    def test_one_that_cannot_be_plugged_in_leaves_nothing_behind(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        before = pool.counts()
        order(pool, "VIF.plug", code="VM_MISSING_PV_DRIVERS", parameters=[pool.vm().ref])
        with pytest.raises(XenAPI.Failure, match="VM_MISSING_PV_DRIVERS"):
            network_interface_create(session, guest, NetworkInterfaceCreate(network="Pool-wide network 0"))
        assert pool.counts() == before

    def test_a_paused_guest_takes_no_devices_and_lets_go_of_none(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        guest_start(session, guest)
        session.xenapi.VM.pause(pool.vm().ref)
        before = pool.counts()
        changes: list[Callable[[], object]] = [
            lambda: disk_create(session, guest, DiskCreate(size=1)),
            lambda: network_interface_create(
                session, guest, NetworkInterfaceCreate(network="Pool-wide network 0")
            ),
            lambda: change(session, guest, ratelimit=8192),
        ]
        for refused in changes:
            with pytest.raises(InvalidState) as refusal:
                refused()
            assert refusal.value.details == {"current": "PAUSED", "needed": "STARTED or STOPPED"}
        assert pool.counts() == before

    def test_a_suspended_guests_interface_is_removed(self, session: XenSession, guest: str) -> None:
        guest_start(session, guest)
        guest_suspend(session, guest)
        network_interface_delete(session, guest, network_interface_list(session, guest)[0].id)
        assert network_interface_list(session, guest) == []

    def test_a_change_that_fails_half_way_is_taken_back(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        before = {field: vif(pool)[field] for field in vif(pool).class_.fields}
        order(pool, "VIF.unplug", code="DEVICE_DETACH_REJECTED", parameters=["VIF", "OpaqueRef:1", "busy"])
        with pytest.raises(XenAPI.Failure, match="DEVICE_DETACH_REJECTED"):
            change(
                session,
                guest,
                network="Pool-wide network 1",
                ratelimit=8192,
                active=False,
                locking_mode="locked",
                ipv4_allowed=["10.0.0.1"],
            )
        assert {field: vif(pool)[field] for field in vif(pool).class_.fields} == before

    def test_a_device_that_another_client_takes_first_is_left_to_it(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        order(pool, "VIF.create", code="DEVICE_ALREADY_EXISTS", parameters=["1"])
        made = network_interface_create(session, guest, NetworkInterfaceCreate(network="Pool-wide network 0"))
        assert made.number == "1"

    def test_seven_interfaces_are_all_that_a_guest_can_have(self, session: XenSession, guest: str) -> None:
        for _ in range(6):
            network_interface_create(session, guest, NetworkInterfaceCreate(network="Pool-wide network 0"))
        with pytest.raises(Conflict):
            network_interface_create(session, guest, NetworkInterfaceCreate(network="Pool-wide network 0"))

    def test_an_address_that_the_guest_has_is_refused_in_any_letter_case(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        for mac in (vif(pool)["MAC"].lower(), vif(pool)["MAC"].upper()):
            wanted = NetworkInterfaceCreate(network="Pool-wide network 0", mac=mac)
            with pytest.raises(Conflict, match="choose another MAC address"):
                network_interface_create(session, guest, wanted)

    def test_a_guest_without_interfaces_and_disks_has_empty_lists(
        self, session: XenSession, guest: str
    ) -> None:
        network_interface_delete(session, guest, network_interface_list(session, guest)[0].id)
        disk_delete(session, guest, "0")
        assert network_interface_list(session, guest) == []
        assert disk_list(session, guest) == []
        with pytest.raises(EntityNotFound):
            network_interface_info(session, guest, "0a:00:00:00:00:01")


class TestNetworks:
    def test_a_network_is_named_by_uuid_name_or_the_reference_of_old(
        self, pool: Pool, session: XenSession
    ) -> None:
        network = network_list(session)[0]
        for word in (network.id, network.name_label, pool.all("network")[0].ref):
            assert network_info(session, word) == network
        for word in ("OpaqueRef:nothing", "nowhere", "0" * 36):
            with pytest.raises(EntityNotFound):
                network_info(session, word)

    def test_a_vlan_that_xapi_refuses_leaves_no_network_behind(
        self, pool: Pool, session: XenSession, order: Order
    ) -> None:
        before = pool.counts()
        order(pool, "pool.create_VLAN_from_PIF", code="INTERNAL_ERROR", parameters=["it broke"])
        wanted = NetworkCreate(name="dmz", from_network="Pool-wide network 0", vlan=7)
        with pytest.raises(XenAPI.Failure, match="it broke"):
            network_vlan_create(session, wanted)
        assert pool.counts() == before

    def test_a_vlan_over_a_bond_and_over_a_part_of_it_lie_on_the_bond(
        self, trust: Trust, log_in: Connect
    ) -> None:
        with running_pool(trust, Simulator(bonds=1)) as pool:
            session = log_in(pool)
            (bond,) = pool.all("Bond")
            for tag, below in enumerate(("Bond 0", "Pool-wide network 2"), start=10):
                made = network_vlan_create(
                    session, NetworkCreate(name=f"v{tag}", from_network=below, vlan=tag)
                )
                assert made.name_label == f"v{tag}"
            assert [vlan["tagged_PIF"] for vlan in pool.all("VLAN")] == [bond["master"]] * 2

    def test_a_vlan_over_a_vlan_or_over_nothing_is_refused(self, pool: Pool, session: XenSession) -> None:
        network_vlan_create(session, NetworkCreate(name="v7", from_network="Pool-wide network 0", vlan=7))
        with pytest.raises(InvalidArguments, match="VLAN or a tunnel itself"):
            network_vlan_create(session, NetworkCreate(name="v8", from_network="v7", vlan=8))
        session.xenapi.network.create({"name_label": "inner", "MTU": 1500, "other_config": {}})
        with pytest.raises(InvalidArguments, match="no physical interface"):
            network_vlan_create(session, NetworkCreate(name="v8", from_network="inner", vlan=8))
        assert "v8" not in [network["name_label"] for network in pool.all("network")]


def test_a_pool_without_a_pool_is_an_error_of_the_hypervisor(pool: Pool, session: XenSession) -> None:

    shown = pool_info(session)
    assert (shown.master, shown.total_memory, shown.used_memory) == ("127.0.0.1", 64 * 1024, 16 * 1024)
    assert shown.software_info["version"] == "8.3.0"
    (own,) = pool.all("pool")
    pool.simulator.database.remove(own)
    with pytest.raises(HypervisorError):
        pool_info(session)
