import io
from collections.abc import Callable
from datetime import datetime

import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    HypervisorError,
    InsufficientStorage,
    InvalidState,
    NetworkInterfaceCreate,
    Snapshot,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import (
    disks,
    guests,
    guests_create,
    guests_update,
    hosts,
    interfaces,
    media,
    power,
    snapshots,
    storages,
    tags,
    transfer,
)
from simplestack.mock.store.topology import HOST_MEMORY_MIB
from support.known import known

from .images import exported

NETWORK = "Pool network"
#: MiB. So much is free on the host of one such guest no more.
MORE_THAN_HALF_A_HOST = HOST_MEMORY_MIB * 3 // 4
MORE_THAN_ANY_HOST = 2 * HOST_MEMORY_MIB


def everything(session: MockSession, guest_id: str) -> tuple[object, ...]:
    return (
        guests.guest_info(session, guest_id),
        disks.disk_list(session, guest_id),
        interfaces.network_interface_list(session, guest_id),
        media.media_info(session, guest_id),
    )


def test_a_snapshot_tells_when_and_in_which_state_it_was_taken(session: MockSession, running: Guest) -> None:
    made = snapshots.snapshot_create(session, running.id, "first")
    assert (made.name, made.state, made.path) == ("first", "STARTED", "first")
    assert made.created is not None
    assert datetime.fromisoformat(made.created).utcoffset() is not None
    assert snapshots.snapshot_info(session, running.id, made.id) == made
    assert snapshots.snapshot_list(session, running.id) == [made]


def test_a_revert_brings_back_settings_devices_and_contents(session: MockSession, stopped: Guest) -> None:
    before, image = everything(session, stopped.id), exported(session, stopped.id)
    taken = snapshots.snapshot_create(session, stopped.id, "before")
    first, second = disks.disk_list(session, stopped.id)
    (interface,) = interfaces.network_interface_list(session, stopped.id)
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=1, cpus=9, paravirtualized=True))
    disks.disk_update(session, stopped.id, first.id, DiskUpdate(size=25, name="other"))
    disks.disk_delete(session, stopped.id, second.id)
    disks.disk_create(session, stopped.id, DiskCreate(size=3))
    interfaces.network_interface_delete(session, stopped.id, interface.id)
    interfaces.network_interface_create(session, stopped.id, NetworkInterfaceCreate(network=NETWORK))
    media.media_mount(session, stopped.id, "virtio-win.iso")
    power.guest_start(session, stopped.id)
    assert snapshots.snapshot_revert(session, stopped.id, taken.id) == taken
    assert everything(session, stopped.id) == before
    assert exported(session, stopped.id) == image


def test_what_a_guest_writes_while_it_runs_is_undone_by_a_revert(
    session: MockSession, stopped: Guest
) -> None:
    taken = snapshots.snapshot_create(session, stopped.id, "clean")
    clean = exported(session, stopped.id)
    power.guest_start(session, stopped.id)
    power.guest_shutdown(session, stopped.id, False)
    assert exported(session, stopped.id) != clean
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert exported(session, stopped.id) == clean


def test_a_revert_leaves_name_and_tags(session: MockSession, stopped: Guest) -> None:
    taken = snapshots.snapshot_create(session, stopped.id, "before")
    guests_update.guest_update(session, stopped.id, GuestUpdate(name="renamed"))
    tags.tag_create(session, stopped.id, "since")
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert guests.guest_info(session, stopped.id).name == "renamed"
    assert "since" in tags.tag_list(session, stopped.id)


@pytest.mark.parametrize("state", list(GuestState))
def test_a_revert_restores_the_power_state(session: MockSession, stopped: Guest, state: GuestState) -> None:
    if state is not GuestState.STOPPED:
        power.guest_start(session, stopped.id)
    if state is GuestState.PAUSED:
        power.guest_suspend(session, stopped.id)
    before = guests.guest_info(session, stopped.id)
    taken = snapshots.snapshot_create(session, stopped.id, "then")
    assert taken.state == state
    if state is GuestState.STOPPED:
        power.guest_start(session, stopped.id)
    else:
        power.guest_shutdown(session, stopped.id, True)
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert guests.guest_info(session, stopped.id) == before


def test_snapshots_form_a_tree(session: MockSession, stopped: Guest) -> None:
    one = snapshots.snapshot_create(session, stopped.id, "one")
    two = snapshots.snapshot_create(session, stopped.id, "two")
    snapshots.snapshot_revert(session, stopped.id, one.id)
    three = snapshots.snapshot_create(session, stopped.id, "three")
    assert [snapshot.path for snapshot in (one, two, three)] == ["one", "one/two", "one/three"]
    assert snapshots.snapshot_list(session, stopped.id) == [one, two, three]
    snapshots.snapshot_delete(session, stopped.id, one.id)
    left = snapshots.snapshot_list(session, stopped.id)
    assert [(snapshot.id, snapshot.path) for snapshot in left] == [(two.id, "two"), (three.id, "three")]
    snapshots.snapshot_delete(session, stopped.id, three.id)
    assert snapshots.snapshot_create(session, stopped.id, "four").path == "four"


def test_defect_23_a_snapshot_of_another_guest_is_not_found(
    session: MockSession, running: Guest, stopped: Guest
) -> None:
    theirs = snapshots.snapshot_create(session, running.id, "theirs")
    for other in (theirs.id, running.id):
        for call in (snapshots.snapshot_info, snapshots.snapshot_revert, snapshots.snapshot_delete):
            with pytest.raises(EntityNotFound, match=f"Snapshot:{other}"):
                call(session, stopped.id, other)
    assert snapshots.snapshot_list(session, running.id) == [theirs]
    assert guests.guest_info(session, running.id) == running


def test_snapshots_of_an_unknown_guest_are_not_found(session: MockSession) -> None:
    for call in (snapshots.snapshot_info, snapshots.snapshot_revert, snapshots.snapshot_delete):
        with pytest.raises(EntityNotFound, match="Guest:nobody"):
            call(session, "nobody", "x")
    with pytest.raises(EntityNotFound, match="Guest:nobody"):
        snapshots.snapshot_list(session, "nobody")
    with pytest.raises(EntityNotFound, match="Guest:nobody"):
        snapshots.snapshot_create(session, "nobody", "x")


def test_the_number_of_snapshots_is_bounded(connect: Callable[..., MockSession]) -> None:
    session = connect(max_snapshots=1)
    guest = guests.guest_list(session)[0].id
    snapshots.snapshot_create(session, guest, "one")
    with pytest.raises(Conflict, match="no more snapshots"):
        snapshots.snapshot_create(session, guest, "two")


def test_a_revert_that_finds_its_mac_taken_changes_nothing(
    session: MockSession, running: Guest, stopped: Guest
) -> None:
    taken = snapshots.snapshot_create(session, stopped.id, "before")
    (interface,) = interfaces.network_interface_list(session, stopped.id)
    interfaces.network_interface_delete(session, stopped.id, interface.id)
    wanted = NetworkInterfaceCreate(network=NETWORK, mac=interface.mac)
    interfaces.network_interface_create(session, running.id, wanted)
    now = everything(session, stopped.id)
    with pytest.raises(Conflict, match=interface.mac):
        snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert everything(session, stopped.id) == now


def test_a_revert_that_finds_no_room_changes_nothing(session: MockSession, stopped: Guest) -> None:
    taken = snapshots.snapshot_create(session, stopped.id, "before")
    for disk in disks.disk_list(session, stopped.id):
        disks.disk_delete(session, stopped.id, disk.id)
    local = storages.storage_list(session)[0]
    rest = known(local.size) - known(local.allocated_space)
    disks.disk_create(session, stopped.id, DiskCreate(size=rest, storage_id=local.id))
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    other = guests_create.guest_create(session, GuestCreate(name="other", memory=64))
    for disk in disks.disk_list(session, stopped.id):
        disks.disk_delete(session, stopped.id, disk.id)
    disks.disk_create(session, other.id, DiskCreate(size=rest, storage_id=local.id))
    now = everything(session, stopped.id)
    with pytest.raises(InsufficientStorage):
        snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert everything(session, stopped.id) == now


def take_running(session: MockSession, guest: Guest, memory: int) -> Snapshot:
    """Take a snapshot of a guest that runs with so much memory, and stop it."""
    guests_update.guest_update(session, guest.id, GuestUpdate(memory=memory))
    power.guest_start(session, guest.id)
    taken = snapshots.snapshot_create(session, guest.id, "running")
    power.guest_shutdown(session, guest.id, True)
    return taken


@pytest.mark.parametrize("runs", [False, True])
def test_a_revert_that_finds_no_room_for_the_memory_of_then_changes_nothing(
    session: MockSession, stopped: Guest, runs: bool
) -> None:
    taken = take_running(session, stopped, MORE_THAN_HALF_A_HOST)
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=64))
    if runs:
        power.guest_start(session, stopped.id)
    for host in hosts.host_list(session):
        wanted = GuestCreate(name=f"fills {host.name}", memory=MORE_THAN_HALF_A_HOST, start=True)
        guests_create.guest_create(session, wanted)
    now = everything(session, stopped.id)
    with pytest.raises(HypervisorError, match=f"no host has {MORE_THAN_HALF_A_HOST} MiB") as caught:
        snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert caught.value.details == {"code": "HOST_NOT_ENOUGH_FREE_MEMORY"}
    assert everything(session, stopped.id) == now


def test_a_revert_needs_no_room_for_the_memory_of_now(session: MockSession, stopped: Guest) -> None:
    taken = take_running(session, stopped, 64)
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=MORE_THAN_ANY_HOST))
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    shown = guests.guest_info(session, stopped.id)
    assert (shown.state, shown.memory) == (GuestState.STARTED, 64)


def test_a_revert_to_a_stopped_moment_needs_no_room_for_memory(session: MockSession, stopped: Guest) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=MORE_THAN_ANY_HOST))
    taken = snapshots.snapshot_create(session, stopped.id, "stopped")
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=64))
    power.guest_start(session, stopped.id)
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    shown = guests.guest_info(session, stopped.id)
    assert (shown.state, shown.memory, shown.host) == (GuestState.STOPPED, MORE_THAN_ANY_HOST, None)


def test_a_revert_leaves_a_running_guest_on_its_host_in_the_memory_that_it_has_there(
    session: MockSession, running: Guest, stopped: Guest
) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(memory=MORE_THAN_HALF_A_HOST))
    power.guest_start(session, stopped.id)
    taken = snapshots.snapshot_create(session, stopped.id, "running")
    before = guests.guest_info(session, stopped.id)
    power.guest_shutdown(session, running.id, True)
    assert before.host != running.host, "which is empty now"
    snapshots.snapshot_revert(session, stopped.id, taken.id)
    assert guests.guest_info(session, stopped.id) == before


def test_a_revert_that_brings_back_more_than_the_bound_is_refused(
    connect: Callable[..., MockSession], session: MockSession, stopped: Guest
) -> None:
    taken = snapshots.snapshot_create(session, stopped.id, "two disks")
    for disk in disks.disk_list(session, stopped.id):
        disks.disk_delete(session, stopped.id, disk.id)
    with pytest.raises(Conflict, match="no more disks"):
        snapshots.snapshot_revert(connect(max_disks=1), stopped.id, taken.id)
    assert disks.disk_list(session, stopped.id) == []
    snapshots.snapshot_revert(connect(max_disks=2), stopped.id, taken.id)
    assert len(disks.disk_list(session, stopped.id)) == 2


def test_a_template_does_not_start_by_a_revert(session: MockSession, running: Guest) -> None:
    taken = snapshots.snapshot_create(session, running.id, "running")
    power.guest_shutdown(session, running.id, True)
    guests_update.guest_update(session, running.id, GuestUpdate(template=True))
    with pytest.raises(InvalidState, match="while it is a template"):
        snapshots.snapshot_revert(session, running.id, taken.id)


def test_snapshots_keep_what_was_on_the_disks_and_give_it_back(session: MockSession, stopped: Guest) -> None:
    before = known(storages.storage_list(session)[0].used_space)
    taken = snapshots.snapshot_create(session, stopped.id, "clean")
    assert storages.storage_list(session)[0].used_space == before
    power.guest_start(session, stopped.id)
    assert known(storages.storage_list(session)[0].used_space) > before
    snapshots.snapshot_delete(session, stopped.id, taken.id)
    assert storages.storage_list(session)[0].used_space == before


def test_an_export_does_not_carry_snapshots(session: MockSession, stopped: Guest) -> None:
    snapshots.snapshot_create(session, stopped.id, "one")
    image = exported(session, stopped.id)
    made = transfer.guest_import(session, io.BytesIO(image), len(image), None, None)
    assert snapshots.snapshot_list(session, made.id) == []
