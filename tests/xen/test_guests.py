"""Guests copied and removed on a simulated pool."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    EntityNotFound,
    HypervisorError,
    InvalidState,
)
from simplestack_xen.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_xen.hooks.guests import guest_clone, guest_delete, guest_info, guest_list
from simplestack_xen.hooks.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.hooks.power import guest_start, guest_suspend
from simplestack_xen.hooks.snapshots import snapshot_create, snapshot_revert
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.lookups import find_guest
from simplestack_xen.xapi.records import NULL, Record
from simplestack_xen.xapi.session import XenSession
from support.service import wait_for
from support.xapi import Pool

from .conftest import Connect, Order

GIB = 1024**3


ALL = frozenset({"hdd", "ip", "host", "tools_up_to_date"})


def test_a_disk_of_unknown_size_makes_hdd_unknown_and_hdd_cannot_grow(
    pool: Pool, session: XenSession, guest: str
) -> None:
    disk_create(session, guest, DiskCreate(size=1))
    known, unknown = disk_list(session, guest)
    (image,) = [found for found in pool.all("VDI") if found["uuid"] == unknown.extra_info]
    image["virtual_size"] = -1
    assert [disk.size for disk in disk_list(session, guest)] == [known.size, None]
    assert guest_info(session, guest).hdd is None
    assert {found.hdd for found in guest_list(session, ALL) if found.id == guest} == {None}
    with pytest.raises(Conflict, match="`hdd`: the size of disk 1 is unknown") as refused:
        guest_update(session, guest, XenGuestUpdate(hdd=100))
    assert "PUT disks" not in refused.value.message, "it rejects that, too"
    assert [disk.size for disk in disk_list(session, guest)] == [known.size, None]


def _create(pool: Pool, session: XenSession) -> None:
    disk_create(session, pool.vm()["uuid"], DiskCreate(size=1))


def _attach(pool: Pool, session: XenSession) -> None:
    (image,) = [found for found in pool.all("VDI") if found["name_label"] == "vm-1 0"]
    pool.share(image, pool.vm())


def _delete(pool: Pool, session: XenSession) -> None:
    disk_delete(session, pool.vm()["uuid"], "0")


def _revert(pool: Pool, session: XenSession) -> None:
    """Put other drives in place of all that the guest has."""
    snapshot_revert(session, pool.vm()["uuid"], pool.vm("then")["uuid"])


class TestHddWhileDisksChange:
    """A disk of 8 GiB is there before; the sum is that of one moment, or unknown, and never part of one."""

    @pytest.mark.parametrize(
        ("change", "moment", "hdd"),
        [
            (_create, "VBD", 9),
            (_create, "VDI", 8),
            (_attach, "VBD", 16),
            (_attach, "VDI", 8),
            (_delete, "VBD", 0),
            (_delete, "VDI", None),
            (_revert, "VBD", 8),
            (_revert, "VDI", None),
        ],
    )
    def test_in_a_list(
        self,
        pool: Pool,
        log_in: Connect,
        guest: str,
        monkeypatch: pytest.MonkeyPatch,
        *,
        change: Callable[[Pool, XenSession], None],
        moment: str,
        hdd: int | None,
    ) -> None:
        session, other = log_in(pool), log_in(pool)
        snapshot_create(session, guest, "then")
        read_all = session.api.read_all

        def read_late(kind: type[Record], class_name: str) -> dict[str, Record]:
            if class_name == moment:
                change(pool, other)
            return read_all(kind, class_name)

        monkeypatch.setattr(session.api, "read_all", read_late)
        assert [found.hdd for found in guest_list(session, ALL) if found.id == guest] == [hdd]

    @pytest.mark.parametrize(
        ("change", "hdd"), [(_create, 8), (_attach, 8), (_delete, None), (_revert, None)]
    )
    @pytest.mark.parametrize("moment", ["VBD", "VDI"])
    def test_of_one_guest(
        self,
        pool: Pool,
        log_in: Connect,
        guest: str,
        monkeypatch: pytest.MonkeyPatch,
        *,
        change: Callable[[Pool, XenSession], None],
        moment: str,
        hdd: int | None,
    ) -> None:
        session, other = log_in(pool), log_in(pool)
        snapshot_create(session, guest, "then")
        read_mixed = session.api.read_mixed

        def read_late(refs: dict[str, Iterable[str]]) -> dict[str, Record]:
            if moment in refs:
                change(pool, other)
            return read_mixed(refs)

        monkeypatch.setattr(session.api, "read_mixed", read_late)
        assert guest_info(session, guest).hdd == hdd


def test_a_drive_without_a_disk_adds_nothing_to_hdd(pool: Pool, session: XenSession, guest: str) -> None:
    (image,) = [found for found in pool.all("VDI") if found["name_label"] == "vm-1 0"]
    pool.share(image, pool.vm())["type"] = "CD"
    pool.share(image, pool.vm())["VDI"] = NULL
    assert guest_info(session, guest).hdd == 8
    assert [found.hdd for found in guest_list(session, ALL) if found.id == guest] == [8]


class TestDelete:
    def test_the_vm_goes_before_its_disks_so_that_a_refusal_strips_it_of_nothing(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        snapshot_create(session, guest, "then")
        before = pool.counts()
        order(pool, "VM.destroy", code="OPERATION_BLOCKED", parameters=[pool.vm().ref, "precious"])
        with pytest.raises(XenAPI.Failure, match="OPERATION_BLOCKED"):
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

    def test_snapshots_that_stay_behind_are_named_and_the_rest_goes(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        snapshot_create(session, guest, "kept")
        snapshot_create(session, guest, "gone")
        pool.vm("kept")["blocked_operations"] = {"destroy": "precious"}
        kept = [pool.simulator.database.get("VBD", ref)["VDI"] for ref in pool.vm("kept")["VBDs"]]
        with pytest.raises(HypervisorError, match=r"snapshot 'kept' \(OPERATION_BLOCKED\)") as failed:
            guest_delete(session, guest)
        assert "gone'" not in failed.value.message
        assert set(kept) <= {image.ref for image in pool.all("VDI")}, (
            "it would be of no use without its disks"
        )
        assert {"vm-0", "gone"}.isdisjoint(vm["name_label"] for vm in pool.all("VM"))

    def test_its_storages_are_looked_at_before_it_goes(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        """Its disks would be left in a storage that nobody sees them in."""
        before = pool.counts()
        pool.disconnect("Local storage")
        with pytest.raises(Conflict, match="storage 'Local storage' is not connected to any host"):
            guest_delete(session, guest)
        assert pool.counts() == before
        pool.connect("Local storage")
        guest_delete(session, guest)

    def test_a_disk_that_another_guest_is_given_meanwhile_stays(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        (disk,) = disk_list(session, guest)
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
        order(pool, "VM.destroy", effect="hold")
        with ThreadPoolExecutor(1) as threads:
            deleting = threads.submit(guest_delete, session, guest)
            wait_for(lambda: pool.simulator.counts["Async.VM.destroy"], what="the VM to be destroyed")
            pool.share(image, pool.vm("vm-1"))
            pool.simulator.faults.clear()
            deleting.result(30)
        assert [disk.name for disk in disk_list(session, pool.vm("vm-1")["uuid"])] == ["vm-1 0", "vm-0 0"]

    def test_what_is_gone_already_is_no_error(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        order(pool, "VDI.destroy", code="HANDLE_INVALID", parameters=["VDI", "OpaqueRef:1"])
        guest_delete(session, guest)
        assert "vm-0" not in [vm["name_label"] for vm in pool.all("VM")]

    def test_a_disk_whose_removal_breaks_off_is_named_and_the_others_go(
        self, pool: Pool, session: XenSession, guest: str, order: Order
    ) -> None:
        disk_create(session, guest, DiskCreate(size=1, name="second"))
        order(pool, "Async.VDI.destroy", effect="drop before")
        with pytest.raises(
            HypervisorError, match=r"the guest is deleted, but these are left: disk 'vm-0 0' \("
        ):
            guest_delete(session, guest)
        assert "second" not in [image["name_label"] for image in pool.all("VDI")]

    def test_a_disk_that_is_backed_up_just_now_stays_and_is_named(
        self, pool: Pool, session: XenSession, guest: str
    ) -> None:
        """The control domain has it then, and XAPI does not destroy it."""
        (disk,) = disk_list(session, guest)
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
        pool.vm("vm-1")["is_control_domain"] = True
        pool.share(image, pool.vm("vm-1"))["currently_attached"] = True
        with pytest.raises(HypervisorError, match=r"disk 'vm-0 0' \(VDI_IN_USE\)"):
            guest_delete(session, guest)

    def test_a_read_only_image_outlives_its_guest(self, pool: Pool, session: XenSession, guest: str) -> None:
        (disk,) = disk_list(session, guest)
        (image,) = [found for found in pool.all("VDI") if found["uuid"] == disk.extra_info]
        image["read_only"] = True
        guest_delete(session, guest)
        assert image.ref in [found.ref for found in pool.all("VDI")]

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
        with pytest.raises(XenAPI.Failure, match="SR_FULL"):
            guest_clone(session, guest, "copy", None)
        assert pool.counts() == before

    def test_a_clone_that_takes_too_long_is_cancelled(
        self, pool: Pool, log_in: Callable[..., XenSession], guest: str, order: Order
    ) -> None:
        session = log_in(pool, call_timeout_seconds=0.3)
        before = pool.counts()
        order(pool, "VM.clone", effect="hold")
        with pytest.raises(Exception, match="did not end within"):
            guest_clone(session, guest, "copy", None)
        assert pool.counts() == before
