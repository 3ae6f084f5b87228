"""What was wrong with Xen in the first Simplestack (``xen.py`` of 2016), each defect with its test.

Some of them have more tests elsewhere: snapshots of others in test_snapshots, half-made things in test_guests
and test_devices, transfers in test_transfer, time limits in test_connection.
"""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from simplestack import (
    DiskCreate,
    EntityNotFound,
    GuestState,
    InvalidArguments,
    NetworkCreate,
    NetworkInterfaceUpdate,
)
from simplestack_xen.hooks.disks import disk_create, disk_delete, disk_list
from simplestack_xen.hooks.guests import guest_delete, guest_info, guest_list
from simplestack_xen.hooks.guests_update import XenGuestUpdate, guest_update
from simplestack_xen.hooks.interfaces import (
    network_interface_delete,
    network_interface_list,
    network_interface_update,
)
from simplestack_xen.hooks.media import media_info, media_mount
from simplestack_xen.hooks.networks import network_vlan_create
from simplestack_xen.hooks.pools import pool_info
from simplestack_xen.hooks.power import guest_start
from simplestack_xen.hooks.snapshots import snapshot_delete
from simplestack_xen.hooks.transfer import guest_export
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.storages import find_disk_sr
from support.service import running_service, token
from support.xapi import PASSWORD, USER, Pool

ALL = frozenset({"id", "name", "hdd", "state"})
MIB = 1024**2


def test_22_a_snapshot_without_a_name_is_made_and_named_after_the_time(
    pool: Pool, guest: str, tmp_path: Path
) -> None:
    headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
    with running_service(tmp_path, pool.toml) as service:
        made = service.post(f"/xen/{pool.host}/guests/{guest}/snapshots", headers=headers)
        assert made.status == 201
        assert made.json["name"].endswith("Z")


def test_23_the_id_of_any_vm_is_no_snapshot_id(pool: Pool, session: XenSession, guest: str) -> None:
    before = pool.counts()
    with pytest.raises(EntityNotFound):
        snapshot_delete(session, guest, pool.vm("vm-1")["uuid"])
    assert pool.counts() == before


def test_24_an_unknown_guest_is_not_deleted_successfully_and_a_running_one_keeps_its_disks(
    pool: Pool, session: XenSession, guest: str
) -> None:
    with pytest.raises(EntityNotFound):
        guest_delete(session, "00000000-0000-4000-8000-000000000000")
    guest_start(session, guest)
    before = pool.counts()
    with pytest.raises(Exception, match="STOPPED"):
        guest_delete(session, guest)
    assert pool.counts() == before
    pool.vm("vm-1")["is_control_domain"] = True
    assert "vm-1" not in [found.name for found in guest_list(session, ALL)]


def test_25_names_go_into_urls_encoded_and_iso_storages_take_no_imports(
    pool: Pool, session: XenSession, guest: str
) -> None:
    pool.vm()["name_label"] = "a&task_id=x#?/ü"
    assert b"".join(guest_export(session, guest).chunks)
    assert pool.count("task") == 0
    pool.storage("ISO library")["physical_size"] = 2 * pool.storage()["physical_size"]
    (own,) = pool.all("pool")
    own["default_SR"] = "OpaqueRef:NULL"
    assert find_disk_sr(session, None).record.name_label == "Local storage"


def test_26_a_guest_without_any_device_is_a_guest_like_others(
    pool: Pool, session: XenSession, guest: str
) -> None:
    disk_delete(session, guest, "0")
    network_interface_delete(session, guest, network_interface_list(session, guest)[0].id)
    assert (guest_info(session, guest).hdd, media_info(session, guest).name) == (0, None)
    with pytest.raises(InvalidArguments, match="no disk"):
        guest_update(session, guest, XenGuestUpdate(hdd=1))
    with pytest.raises(EntityNotFound):
        media_mount(session, guest, "nothing.iso")
    assert disk_create(session, guest, DiskCreate(size=1)).number == "0"


def test_26_a_size_that_is_a_text_is_refused_before_it_is_multiplied() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"hdd": "9"}, XenGuestUpdate)


def test_27_a_network_is_not_made_before_the_one_below_it_is_found(pool: Pool, session: XenSession) -> None:
    before = pool.counts()
    with pytest.raises(EntityNotFound):
        network_vlan_create(session, NetworkCreate(name="dmz", from_network="nowhere", vlan=7))
    assert pool.counts() == before


def test_28_an_interface_is_never_destroyed_to_be_changed(
    pool: Pool, session: XenSession, guest: str
) -> None:
    (interface,) = network_interface_list(session, guest)
    before = {found.ref for found in pool.all("VIF")}
    changes: list[dict[str, object]] = [
        {"locking_mode": "locked", "ipv4_allowed": ["10.0.0.1"]},
        {"ratelimit": 8192, "network": "Pool-wide network 1"},
        {"ratelimit": None, "active": False},
    ]
    for change in changes:
        body = msgspec.convert(change, NetworkInterfaceUpdate)
        network_interface_update(session, guest, interface.id, body)
    assert {found.ref for found in pool.all("VIF")} == before
    (vif,) = [found for found in pool.all("VIF") if found["VM"] == pool.vm().ref]
    assert vif["qos_algorithm_params"] == {}, "nothing stays of a limit that was lifted"


def test_29_a_guest_that_is_paused_in_memory_is_shown_and_cpus_go_down(
    pool: Pool, session: XenSession, guest: str
) -> None:
    guest_update(session, guest, XenGuestUpdate(cpus=4))
    assert guest_update(session, guest, XenGuestUpdate(cpus=1)).cpus == 1
    guest_start(session, guest)
    session.xenapi.VM.pause(pool.vm().ref)
    assert guest_info(session, guest).state is GuestState.PAUSED
    with pytest.raises(EntityNotFound):
        guest_info(session, "no-uuid")


def test_30_memory_in_use_is_that_of_the_hosts_and_empty_drives_are_no_error(
    pool: Pool, session: XenSession, guest: str
) -> None:
    used = pool_info(session).used_memory
    for vm in pool.all("VM"):
        vm["memory_dynamic_max"] = 64 * 1024 * MIB  # which guests that are off do not use
    assert pool_info(session).used_memory == used
    (drive,) = [found for found in pool.all("VBD") if found["VM"] == pool.vm().ref]
    drive["VDI"], drive["empty"] = "OpaqueRef:NULL", True
    assert disk_list(session, guest) == []
    assert guest_info(session, guest).hdd == 0
    assert len(guest_list(session, ALL)) == 3


def test_31_a_time_limit_holds_in_the_call_itself(
    pool: Pool, log_in: Callable[..., XenSession], order: Callable[..., None], guest: str
) -> None:
    session = log_in(pool, call_timeout_seconds=0.2)
    order(pool, "VM.get_record", effect="hang")
    with pytest.raises(Exception, match=r"within 0\.2 s"):
        guest_info(session, guest)
