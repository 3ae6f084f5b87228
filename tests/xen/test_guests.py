"""Guests on a simulated pool: made, changed, copied and removed; failures half-way."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    EntityNotFound,
    GuestCreate,
    HypervisorError,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    NewDisk,
    NewNetworkInterface,
)
from simplestack_xen.disks import disk_create, disk_list
from simplestack_xen.failures import XapiFailure
from simplestack_xen.faults import translate
from simplestack_xen.guests import guest_clone, guest_delete, guest_info
from simplestack_xen.guests_create import guest_create
from simplestack_xen.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.interfaces import network_interface_list
from simplestack_xen.lookups import find_guest
from simplestack_xen.media import media_info, media_mount, media_unmount
from simplestack_xen.naming import with_name
from simplestack_xen.power import guest_start, guest_suspend
from simplestack_xen.session import XenSession
from simplestack_xen.snapshots import snapshot_create
from simulators.xapi.simulator import Simulator
from support.service import wait_for
from support.xapi import Pool, Trust, running_pool

from .conftest import Connect

MIB, GIB = 1024**2, 1024**3
TEMPLATE = "Debian Bookworm 12"
Order = Callable[..., None]


def update(session: XenSession, guest_id: str, **changes: Any) -> Any:
    """Change a guest with a body as it comes over the wire."""
    return guest_update(session, guest_id, msgspec.convert(changes, XenGuestUpdate))


@pytest.fixture
def guest(pool: Pool) -> str:
    """Give the id of a guest that is off."""
    uuid: str = pool.vm()["uuid"]
    return uuid


class TestCreate:
    def test_a_template_gives_its_disks_and_becomes_no_guest(self, pool: Pool, session: XenSession) -> None:
        made = guest_create(session, GuestCreate(name="web", template=TEMPLATE, memory=1024, cpus=2))
        assert (made.name, made.memory, made.cpus, made.hdd, made.state) == ("web", 1024, 2, 8, "STOPPED")
        assert pool.vm(TEMPLATE)["is_a_template"]
        assert pool.vm(TEMPLATE)["other_config"]["disks"]
        assert "disks" not in pool.vm("web")["other_config"]

    def test_all_that_a_request_can_name(self, session: XenSession) -> None:
        wanted = GuestCreate(
            name="web",
            template=TEMPLATE,
            memory=512,
            cpus=4,
            disks=[NewDisk(size=1.5, name="data"), NewDisk(size=2)],
            network_interfaces=[NewNetworkInterface(network="Pool-wide network 1")] * 2,
            iso="debian.iso",
            storage="Local storage",
            paravirtualized=True,
            start=True,
        )
        made = guest_create(session, wanted)
        assert (made.state, made.hdd, made.paravirtualized, made.cpus) == ("STARTED", 11.5, True, 4)
        assert [disk.size for disk in disk_list(session, made.id)] == [8, 1.5, 2]
        assert disk_list(session, made.id)[1].name == "data"
        assert [found.network for found in network_interface_list(session, made.id)] == [
            "Pool-wide network 1"
        ] * 2
        assert media_info(session, made.id).name == "debian.iso"

    def test_without_a_template_it_is_a_whole_machine_with_a_drive(
        self, pool: Pool, session: XenSession
    ) -> None:
        made = guest_create(session, GuestCreate(name="bare", memory=256))
        assert (made.memory, made.cpus, made.hdd, made.paravirtualized) == (256, 1, 0, False)
        (drive,) = [drive for drive in pool.all("VBD") if drive["VM"] == pool.vm("bare").ref]
        assert (drive["type"], drive["empty"]) == ("CD", True)
        assert disk_create(session, made.id, DiskCreate(size=1)).id == "0", "where systems look for it"

    def test_an_image_is_cloned_where_it_lies_and_copied_elsewhere(
        self, pool: Pool, session: XenSession
    ) -> None:
        second = pool.add_storage("Second")
        wanted = GuestCreate(name="web", memory=256, image="debian-12", disks=[NewDisk(size=1)])
        made = guest_create(session, wanted)
        assert [disk.size for disk in disk_list(session, made.id)] == [2, 1]
        assert pool.simulator.counts["Async.VDI.copy"] == 0
        other = guest_create(session, msgspec.structs.replace(wanted, name="other", storage="Second"))
        assert pool.simulator.counts["Async.VDI.copy"] == 1
        uuids = [disk.extra_info for disk in disk_list(session, other.id)]
        assert all(disk["SR"] == second.ref for disk in pool.all("VDI") if disk["uuid"] in uuids)

    def test_an_image_is_copied_where_its_storage_makes_no_clones(
        self, pool: Pool, session: XenSession, order: Order
    ) -> None:
        order(pool, "VDI.clone", code="SR_OPERATION_NOT_SUPPORTED", parameters=["OpaqueRef:1"])
        made = guest_create(session, GuestCreate(name="web", memory=256, image="debian-12"))
        assert made.hdd == 2
        assert [disk.name for disk in disk_list(session, made.id)] == ["web disk"]

    def test_an_image_is_found_by_its_name_while_it_is_copied(
        self, pool: Pool, session: XenSession, log_in: Connect, order: Order
    ) -> None:
        pool.add_storage("Second")
        order(pool, "VDI.copy", effect="hold")
        wanted = GuestCreate(name="web", memory=256, image="debian-12", storage="Second")
        with ThreadPoolExecutor(1) as threads:
            copying = threads.submit(guest_create, session, wanted)
            wait_for(lambda: pool.simulator.counts["Async.VDI.copy"] == 1, what="the copy to begin")
            other = guest_create(log_in(pool), GuestCreate(name="other", memory=256, image="debian-12"))
            pool.simulator.faults.clear()
            assert (other.hdd, copying.result(30).hdd) == (2, 2)

    def test_a_guest_is_copied_into_a_storage_that_is_named(self, pool: Pool, session: XenSession) -> None:
        second = pool.add_storage("Second")
        made = guest_create(session, GuestCreate(name="web", template="vm-0", storage="Second"))
        (disk,) = disk_list(session, made.id)
        assert [found["SR"] for found in pool.all("VDI") if found["uuid"] == disk.extra_info] == [second.ref]

    @pytest.mark.parametrize(
        "message", ["VBD.create", "VDI.create", "VIF.create", "VBD.insert", "Async.VM.start"]
    )
    @pytest.mark.parametrize("template", [TEMPLATE, None])
    def test_a_failure_at_any_step_leaves_nothing_behind(
        self, pool: Pool, session: XenSession, order: Order, message: str, template: str | None
    ) -> None:
        before = pool.counts()
        order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
        wanted = GuestCreate(
            name="web",
            template=template,
            memory=256,
            disks=[NewDisk(size=1), NewDisk(size=1)],
            network_interfaces=[NewNetworkInterface(network="Pool-wide network 0")],
            iso="debian.iso",
            start=True,
        )
        with pytest.raises(XapiFailure, match="it broke"):
            guest_create(session, wanted)
        assert pool.counts() == before

    def test_a_disk_that_finds_no_room_leaves_nothing_behind(self, pool: Pool, session: XenSession) -> None:
        before = pool.counts()
        wanted = GuestCreate(name="web", template=TEMPLATE, disks=[NewDisk(size=1), NewDisk(size=1500)])
        with pytest.raises(XapiFailure, match="SR_FULL"):
            guest_create(session, wanted)
        assert pool.counts() == before

    def test_two_templates_of_one_name_are_a_conflict_that_names_their_ids(
        self, pool: Pool, session: XenSession
    ) -> None:
        pool.vm("vm-2")["name_label"] = "vm-1"
        with pytest.raises(Conflict) as refused:
            guest_create(session, GuestCreate(name="web", template="vm-1"))
        for vm in pool.all("VM"):
            assert (vm["uuid"] in refused.value.message) == (vm["name_label"] == "vm-1")

    def test_disks_do_not_go_among_iso_images(self, session: XenSession) -> None:
        with pytest.raises(InvalidArguments, match="ISO"):
            guest_create(session, GuestCreate(name="web", memory=256, storage="ISO library"))

    def test_a_snapshot_may_have_the_name_that_a_guest_wants(self, pool: Pool, session: XenSession) -> None:
        session.tasks.run("VM.snapshot", pool.vm().ref, "web")
        assert guest_create(session, GuestCreate(name="web", memory=256)).name == "web"

    def test_a_name_that_others_take_in_the_same_moment_is_given_up(
        self, pool: Pool, session: XenSession
    ) -> None:
        mine, given_back = pool.vm().ref, list[str]()

        def take() -> str:
            session.api.call("VM.set_name_label", mine, "web")
            pool.vm("vm-1")["name_label"] = "web"  # another client, after the check and before the next one
            return mine

        def give_back(ref: str) -> None:
            given_back.append(ref)
            session.api.call("VM.set_name_label", ref, "vm-0")

        with pytest.raises(Conflict):
            with_name(session, "web", take, give_back)
        assert given_back == [mine]


class TestUpdate:
    def test_all_members_of_xens_own(self, pool: Pool, session: XenSession, guest: str) -> None:
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
        assert vm["ha_restart_priority"] == "restart"
        update(session, guest, ha_enabled=False)
        assert vm["ha_restart_priority"] == ""

        guest_start(session, guest)
        update(session, guest, memory_target_live=700, vcpus_number_live=3)
        assert (vm["memory_dynamic_min"], vm["memory_dynamic_max"]) == (700 * MIB, 700 * MIB)
        (metrics,) = [found for found in pool.all("VM_metrics") if found.ref == vm["metrics"]]
        assert metrics["VCPUs_number"] == 3

    def test_paravirtualized_is_a_switch_or_the_kernels_arguments(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        vm = pool.vm()
        assert update(session, guest, paravirtualized=True).paravirtualized is True
        assert (vm["PV_bootloader"], vm["domain_type"]) == ("pygrub", "pv")
        assert vm["PV_args"]
        assert update(session, guest, paravirtualized="console=hvc0 ro").paravirtualized is True
        assert vm["PV_args"] == "console=hvc0 ro"
        assert update(session, guest, paravirtualized=False).paravirtualized is False
        assert (vm["PV_args"], vm["HVM_boot_policy"]) == ("", "BIOS order")

    @pytest.mark.parametrize("at_most", [1, 2, 8])
    def test_cpus_go_up_and_down_together(
        self, pool: Pool, session: XenSession, guest: str, at_most: int
    ) -> None:
        update(session, guest, cpus=4)
        assert update(session, guest, cpus=at_most).cpus == at_most
        assert pool.vm()["VCPUs_max"] == at_most

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
        self, session: XenSession, guest: str, changes: dict[str, Any]
    ) -> None:
        before = guest_info(session, guest)
        with pytest.raises(InvalidArguments):
            update(session, guest, name="other", **changes)
        assert guest_info(session, guest) == before

    def test_live_members_need_a_guest_that_runs(self, session: XenSession, guest: str) -> None:
        with pytest.raises(InvalidState) as refused:
            update(session, guest, memory_target_live=256)
        assert refused.value.details == {"current": "STOPPED", "needed": "STARTED"}

    @pytest.mark.parametrize(
        "message", ["VM.set_VCPUs_at_startup", "VM.set_ha_restart_priority", "VDI.resize"]
    )
    def test_a_failure_half_way_takes_back_what_was_changed(
        self, pool: Pool, session: XenSession, guest: str, order: Order, message: str
    ) -> None:
        def everything() -> dict[str, Any]:
            return {field: pool.vm()[field] for field in pool.vm().class_.fields}

        before = everything()
        order(pool, message, code="INTERNAL_ERROR", parameters=["it broke"])
        with pytest.raises(XapiFailure, match="it broke"):
            update(
                session, guest, name="web", memory=1024, cpus=4, ha_enabled=True, hdd=20, paravirtualized=True
            )
        assert everything() == before

    def test_a_running_guests_disk_grows_where_the_storage_can(self, trust: Trust, log_in: Connect) -> None:
        with running_pool(trust, Simulator(resizes_online=True)) as pool:
            session, uuid = log_in(pool), pool.vm()["uuid"]
            guest_start(session, uuid)
            assert update(session, uuid, hdd=9).hdd == 9

    def test_a_running_guests_disk_that_cannot_grow_is_a_conflict_that_says_what_to_do(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        guest_start(session, guest)
        order(pool, "VDI.resize_online", code="SR_OPERATION_NOT_SUPPORTED", parameters=["OpaqueRef:1"])
        with pytest.raises(Conflict, match="shut the guest down"):
            update(session, guest, hdd=9)
        order(pool, "Async.VDI.resize_online", code="MESSAGE_REMOVED")
        with pytest.raises(Conflict, match="shut the guest down"):
            update(session, guest, hdd=9)
        assert guest_info(session, guest).hdd == 8


class TestDelete:
    def test_the_vm_goes_before_its_disks_so_that_a_refusal_strips_it_of_nothing(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        snapshot_create(session, guest, "then")
        before = pool.counts()
        order(pool, "VM.destroy", code="OPERATION_BLOCKED", parameters=[pool.vm().ref, "precious"])
        with pytest.raises(XapiFailure, match="OPERATION_BLOCKED"):
            guest_delete(session, guest)
        assert pool.counts() == before

    def test_it_goes_with_snapshots_and_their_disks(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        before = pool.counts()
        snapshot_create(session, guest, "one")
        snapshot_create(session, guest, "two")
        guest_delete(session, guest)
        after = pool.counts()
        assert {name: before[name] - after[name] for name in before if before[name] != after[name]} == {
            "VM": 1,
            "VDI": 1,
            "VBD": 1,
            "VIF": 1,
        }

    def test_a_disk_that_another_guest_uses_too_stays(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        (disk,) = disk_list(session, guest)
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
        pool.share(image, pool.vm("vm-1"))
        guest_delete(session, guest)
        assert image.ref in [found.ref for found in pool.all("VDI")]
        assert len(disk_list(session, pool.vm("vm-1")["uuid"])) == 2

    def test_a_suspended_guest_is_refused_with_its_state(self, session: XenSession, guest: str) -> None:
        guest_start(session, guest)
        guest_suspend(session, guest)
        with pytest.raises(InvalidState) as refused:
            guest_delete(session, guest)
        assert refused.value.details == {"current": "PAUSED", "needed": "STOPPED"}

    def test_what_stays_behind_is_named(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        order(pool, "VDI.destroy", code="VDI_IN_USE", parameters=["OpaqueRef:1", "destroy"])
        with pytest.raises(HypervisorError) as failed:
            guest_delete(session, guest)
        assert "'vm-0 0' (VDI_IN_USE)" in failed.value.message
        assert "vm-0" not in [vm["name_label"] for vm in pool.all("VM")]

    def test_snapshots_control_domains_and_nonsense_are_no_guests(
        self, pool: Pool, session: XenSession
    ) -> None:
        snapshot = snapshot_create(session, pool.vm()["uuid"], "then")
        pool.vm("vm-1")["is_control_domain"] = True
        for identity in (snapshot.id, pool.vm("vm-1")["uuid"], "vm-0", pool.vm().ref, "", "x" * 1000):
            with pytest.raises(EntityNotFound):
                find_guest(session, identity)
            with pytest.raises(EntityNotFound):
                guest_delete(session, identity)


class TestClone:
    def test_a_clone_that_finds_no_room_leaves_nothing_behind(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        storage = pool.storage()
        storage["physical_size"] = storage["physical_utilisation"] + GIB
        before = pool.counts()
        with pytest.raises(XapiFailure, match="SR_FULL"):
            guest_clone(session, guest, "copy")
        assert pool.counts() == before

    def test_a_clone_that_takes_too_long_is_cancelled(
        self, pool: Pool, log_in: Callable[..., XenSession], guest: str, order: Order
    ) -> None:
        session = log_in(pool, call_timeout_seconds=0.3)
        before = pool.counts()
        order(pool, "VM.clone", effect="hold")
        with pytest.raises(Exception, match="did not end within"):
            guest_clone(session, guest, "copy")
        assert pool.counts() == before


class TestMedia:
    def test_a_drive_is_made_where_there_is_none(self, pool: Pool, session: XenSession, guest: str) -> None:
        assert media_info(session, guest).name is None
        media_unmount(session, guest)
        media_mount(session, guest, "debian.iso")
        media_mount(session, guest, "guest-tools.iso")
        assert media_info(session, guest).name == "guest-tools.iso"
        assert len([drive for drive in pool.all("VBD") if drive["VM"] == pool.vm().ref]) == 2

    def test_a_guest_that_runs_and_has_no_drive_gets_none(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        """Xen plugs no CD drive into a whole machine."""
        guest_start(session, guest)
        before = pool.counts()
        with pytest.raises(InvalidState, match="no CD drive"):
            media_mount(session, guest, "debian.iso")
        assert pool.counts() == before

    def test_a_disk_is_no_iso_whatever_it_is_called(self, session: XenSession, guest: str) -> None:
        with pytest.raises(EntityNotFound):
            media_mount(session, guest, "debian-12")

    def test_what_was_in_the_drive_comes_back_when_the_insert_fails(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        media_mount(session, guest, "debian.iso")
        order(pool, "VBD.insert", code="INTERNAL_ERROR", parameters=["it broke"])
        with pytest.raises(XapiFailure, match="it broke"):
            media_mount(session, guest, "guest-tools.iso")
        assert media_info(session, guest).name == "debian.iso"

    def test_an_iso_of_two_libraries_is_named_by_its_id(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        isos = [found for found in pool.all("VDI") if found["name_label"].endswith(".iso")]
        isos[1]["name_label"] = "debian.iso"
        with pytest.raises(Conflict) as refused:
            media_mount(session, guest, "debian.iso")
        assert isos[1]["uuid"] in refused.value.message
        media_mount(session, guest, isos[1]["uuid"])
        assert media_info(session, guest).name == "debian.iso"


def test_a_storage_without_room_is_507(pool: Pool, session: XenSession, guest: str) -> None:
    with pytest.raises(XapiFailure) as failed:
        update(session, guest, hdd=1500)
    assert isinstance(translate(failed.value), InsufficientStorage)
