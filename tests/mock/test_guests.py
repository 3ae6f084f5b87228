import uuid
from collections.abc import Callable

import pytest

from simplestack import (
    Conflict,
    DiskCreate,
    EntityNotFound,
    Guest,
    GuestCreate,
    GuestState,
    GuestUpdate,
    HypervisorError,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    NewDisk,
    NewNetworkInterface,
)
from simplestack.mock import MockSession
from simplestack.mock.hooks import (
    disks,
    guests,
    guests_create,
    guests_update,
    interfaces,
    media,
    power,
    snapshots,
    storages,
    tags,
)
from support.known import known

from .images import contents, exported

NETWORK = "Pool network"
TEMPLATE = "debian-12-template"


def allocated(session: MockSession) -> dict[str, float]:
    return {storage.name: known(storage.allocated_space) for storage in storages.storage_list(session)}


def test_a_guest_is_made_with_all_that_was_asked_for(session: MockSession) -> None:
    made = guests_create.guest_create(
        session,
        GuestCreate(
            name="new",
            memory=512,
            cpus=3,
            paravirtualized=True,
            disks=[NewDisk(size=1.5, name="root"), NewDisk(size=2, storage="Local storage")],
            network_interfaces=[NewNetworkInterface(network=NETWORK)],
            iso="virtio-win.iso",
            storage="Shared storage",
            start=True,
        ),
    )
    assert guests.guest_info(session, made.id) == made
    assert uuid.UUID(made.id).version == 4
    assert (made.name, made.memory, made.cpus, made.hdd) == ("new", 512, 3, 3.5)
    assert (made.state, made.paravirtualized) == (GuestState.STARTED, True)
    assert made.ip is not None
    root, data = disks.disk_list(session, made.id)
    assert (root.name, root.number, root.size) == ("root", "0", 1.5)
    assert root.extra_info == "Shared storage"
    assert (data.number, data.size) == ("1", 2)
    assert data.extra_info == "Local storage"
    (interface,) = interfaces.network_interface_list(session, made.id)
    assert interface.network == NETWORK
    assert media.media_info(session, made.id).name == "virtio-win.iso"


def test_a_guest_without_anything_is_made_too(session: MockSession) -> None:
    made = guests_create.guest_create(session, GuestCreate(name="bare", memory=64))
    assert (made.cpus, made.hdd, made.state) == (1, 0, GuestState.STOPPED)


def test_a_guest_from_an_image_boots_from_its_copy(session: MockSession) -> None:
    made = guests_create.guest_create(
        session, GuestCreate(name="cloud", memory=512, image="debian-12.img", disks=[NewDisk(size=5)])
    )
    first, second = disks.disk_list(session, made.id)
    assert (first.name, first.size, second.size) == ("debian-12.img", 2, 5)
    again = guests_create.guest_create(session, GuestCreate(name="again", memory=512, image="debian-12.img"))
    copy, empty = contents(exported(session, made.id))
    assert (len(copy) > 0, empty) == (True, b"")
    assert contents(exported(session, again.id)) == [copy]


def test_a_template_gives_what_the_request_does_not(session: MockSession) -> None:
    plain = guests_create.guest_create(session, GuestCreate(name="plain", template=TEMPLATE))
    assert (plain.memory, plain.cpus, plain.hdd) == (1024, 1, 10)
    larger = guests_create.guest_create(
        session, GuestCreate(name="larger", template=TEMPLATE, memory=2048, cpus=4, disks=[NewDisk(size=3)])
    )
    assert (larger.memory, larger.cpus, larger.hdd) == (2048, 4, 13)
    here, there = (interfaces.network_interface_list(session, guest.id)[0] for guest in (plain, larger))
    assert here.mac != there.mac


def test_a_guest_has_the_tags_of_its_template(session: MockSession, stopped: Guest) -> None:
    made = guests_create.guest_create(session, GuestCreate(name="new", template=stopped.id))
    assert tags.tag_list(session, made.id) == ["database", "demo"]


def test_all_disks_of_a_template_go_to_the_storage_that_is_named(
    session: MockSession, stopped: Guest
) -> None:
    for place in ("Local storage", "Shared storage"):
        made = guests_create.guest_create(
            session, GuestCreate(name=place, template=stopped.id, storage=place)
        )
        places = [disk.extra_info for disk in disks.disk_list(session, made.id)]
        assert places == [place, place]


def test_interfaces_of_the_request_replace_those_of_the_template(session: MockSession) -> None:
    made = guests_create.guest_create(
        session,
        GuestCreate(
            name="moved",
            template=TEMPLATE,
            network_interfaces=[NewNetworkInterface(network="Storage network")],
        ),
    )
    (interface,) = interfaces.network_interface_list(session, made.id)
    assert (interface.network, interface.number) == ("Storage network", "0")


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ({"template": "none"}, EntityNotFound, "Guest:none"),
        ({"image": "none"}, EntityNotFound, "Image:none"),
        ({"iso": "none"}, EntityNotFound, "ISO:none"),
        ({"storage": "none"}, EntityNotFound, "Storage:none"),
        ({"disks": [NewDisk(size=1, storage="none")]}, EntityNotFound, "Storage:none"),
        ({"disks": [NewDisk(size=1), NewDisk(size=65536)]}, InsufficientStorage, "GiB free"),
        ({"storage": "ISO library"}, InvalidArguments, "ISO images"),
        ({"network_interfaces": [NewNetworkInterface(network="none")]}, EntityNotFound, "Network:none"),
        ({"template": "web"}, InvalidState, "STARTED"),
        ({"memory": 64 * 1024**2, "start": True}, HypervisorError, "no host has"),
        ({"name": "web"}, Conflict, "'web'"),
    ],
)
def test_a_create_that_fails_leaves_nothing_behind(
    session: MockSession, wanted: dict[str, object], error: type[Exception], message: str
) -> None:
    before = guests.guest_list(session), storages.storage_list(session)
    with pytest.raises(error, match=message):
        guests_create.guest_create(session, GuestCreate(**{"name": "new", "memory": 64, **wanted}))  # type: ignore[arg-type]  # any members
    assert (guests.guest_list(session), storages.storage_list(session)) == before


def test_an_update_changes_what_it_names_only(session: MockSession, stopped: Guest) -> None:
    after = guests_update.guest_update(session, stopped.id, GuestUpdate(name="renamed", memory=1024, cpus=1))
    assert guests.guest_info(session, stopped.id) == after
    assert (after.name, after.memory, after.cpus, after.hdd) == ("renamed", 1024, 1, stopped.hdd)
    assert guests_update.guest_update(session, stopped.id, GuestUpdate()) == after


def test_a_rename_to_a_name_in_use_is_refused(session: MockSession, stopped: Guest, running: Guest) -> None:
    with pytest.raises(Conflict, match=running.name):
        guests_update.guest_update(session, stopped.id, GuestUpdate(name=running.name, memory=1))
    assert guests.guest_info(session, stopped.id) == stopped
    assert guests_update.guest_update(session, stopped.id, GuestUpdate(name=stopped.name)) == stopped


def test_a_running_guest_keeps_its_memory_but_can_be_renamed(session: MockSession, running: Guest) -> None:
    with pytest.raises(InvalidState) as caught:
        guests_update.guest_update(session, running.id, GuestUpdate(name="other", memory=4096))
    assert caught.value.details == {"current": "STARTED", "needed": "STOPPED"}
    assert guests.guest_info(session, running.id) == running
    after = guests_update.guest_update(
        session, running.id, GuestUpdate(name="other", memory=known(running.memory))
    )
    assert after.name == "other"


def test_hdd_grows_the_last_disk_so_that_the_sum_is_right(session: MockSession, stopped: Guest) -> None:
    first, last = disks.disk_list(session, stopped.id)
    assert guests_update.guest_update(session, stopped.id, GuestUpdate(hdd=150.5)).hdd == 150.5
    assert disks.disk_info(session, stopped.id, first.id) == first
    assert disks.disk_info(session, stopped.id, last.id).size == 150.5 - known(first.size)
    assert guests_update.guest_update(session, stopped.id, GuestUpdate(hdd=150.5)).hdd == 150.5


def test_hdd_below_the_sum_is_refused(session: MockSession, stopped: Guest) -> None:
    with pytest.raises(InvalidArguments, match=r"`hdd`: 119 GiB is less than .* \(120 GiB\)"):
        guests_update.guest_update(session, stopped.id, GuestUpdate(name="x", hdd=119))
    assert guests.guest_info(session, stopped.id) == stopped


def test_hdd_of_a_guest_without_disks_is_refused(session: MockSession) -> None:
    bare = guests_create.guest_create(session, GuestCreate(name="bare", memory=64))
    with pytest.raises(InvalidArguments, match="has no disk"):
        guests_update.guest_update(session, bare.id, GuestUpdate(hdd=5))


def test_hdd_beyond_the_storage_is_refused(session: MockSession, stopped: Guest) -> None:
    with pytest.raises(InsufficientStorage):
        guests_update.guest_update(session, stopped.id, GuestUpdate(hdd=5000))
    assert guests.guest_info(session, stopped.id) == stopped


def test_a_stopped_guest_becomes_a_template_and_a_guest_again(session: MockSession, stopped: Guest) -> None:
    guests_update.guest_update(session, stopped.id, GuestUpdate(template=True))
    assert stopped.id not in {guest.id for guest in guests.guest_list(session)}
    assert guests.guest_info(session, stopped.id) == stopped
    with pytest.raises(InvalidState, match="while it is a template"):
        power.guest_start(session, stopped.id)
    clone = guests_create.guest_create(session, GuestCreate(name="from template", template=stopped.id))
    assert clone.hdd == stopped.hdd
    guests_update.guest_update(session, stopped.id, GuestUpdate(template=False))
    assert stopped in guests.guest_list(session)


def test_a_running_guest_is_made_no_template(session: MockSession, running: Guest) -> None:
    with pytest.raises(InvalidState):
        guests_update.guest_update(session, running.id, GuestUpdate(template=True))


def test_deleting_a_guest_gives_back_all_it_had(session: MockSession) -> None:
    before = storages.storage_list(session)
    made = guests_create.guest_create(
        session,
        GuestCreate(
            name="gone",
            memory=64,
            disks=[NewDisk(size=7)],
            network_interfaces=[NewNetworkInterface(network=NETWORK)],
        ),
    )
    power.guest_start(session, made.id)
    snapshots.snapshot_create(session, made.id, "before")
    power.guest_shutdown(session, made.id, False)
    guests.guest_delete(session, made.id)
    with pytest.raises(EntityNotFound):
        guests.guest_info(session, made.id)
    assert storages.storage_list(session) == before
    assert guests_create.guest_create(session, GuestCreate(name="gone", memory=64)).id != made.id


@pytest.mark.parametrize("paused", [False, True])
def test_deleting_a_running_or_paused_guest_is_refused(
    session: MockSession, running: Guest, paused: bool
) -> None:
    if paused:
        power.guest_suspend(session, running.id)
    with pytest.raises(InvalidState) as caught:
        guests.guest_delete(session, running.id)
    assert caught.value.details == {"current": "PAUSED" if paused else "STARTED", "needed": "STOPPED"}
    assert guests.guest_info(session, running.id).id == running.id


def test_a_clone_is_equal_but_for_id_name_and_addresses(session: MockSession, stopped: Guest) -> None:
    clone = guests.guest_clone(session, stopped.id, "copy", None)
    assert clone.id != stopped.id
    assert (clone.name, clone.hdd, clone.memory) == ("copy", stopped.hdd, stopped.memory)
    theirs, ours = ({disk.id for disk in disks.disk_list(session, guest)} for guest in (stopped.id, clone.id))
    assert len(theirs) == len(ours) == 2
    assert not theirs & ours
    old, new = (interfaces.network_interface_list(session, guest)[0] for guest in (stopped.id, clone.id))
    assert old.mac != new.mac
    assert tags.tag_list(session, clone.id) == tags.tag_list(session, stopped.id)
    assert snapshots.snapshot_list(session, clone.id) == []


def test_defect_33_a_clone_shares_nothing_with_its_origin(session: MockSession, stopped: Guest) -> None:
    clone = guests.guest_clone(session, stopped.id, "copy", None)
    before = (
        disks.disk_list(session, stopped.id),
        interfaces.network_interface_list(session, stopped.id),
        tags.tag_list(session, stopped.id),
    )
    disks.disk_create(session, clone.id, DiskCreate(size=1))
    disks.disk_delete(session, clone.id, disks.disk_list(session, clone.id)[0].id)
    (interface,) = interfaces.network_interface_list(session, clone.id)
    interfaces.network_interface_delete(session, clone.id, interface.id)
    tags.tag_create(session, clone.id, "mine")
    assert before == (
        disks.disk_list(session, stopped.id),
        interfaces.network_interface_list(session, stopped.id),
        tags.tag_list(session, stopped.id),
    )


def test_defect_33_an_update_drops_no_member(session: MockSession, stopped: Guest) -> None:
    wanted = GuestUpdate(name="all", memory=1, cpus=7, hdd=121, paravirtualized=True)
    after = guests_update.guest_update(session, stopped.id, wanted)
    assert (after.name, after.memory, after.cpus, after.hdd, after.paravirtualized) == (
        "all",
        1,
        7,
        121,
        True,
    )
    assert guests.guest_info(session, stopped.id) == after


def test_defect_33_an_unknown_guest_is_an_error_and_not_null(session: MockSession) -> None:
    with pytest.raises(EntityNotFound, match="Guest:nobody not found"):
        guests.guest_info(session, "nobody")


@pytest.mark.parametrize("taken", ["web", TEMPLATE])
def test_a_clone_needs_a_name_of_its_own(session: MockSession, stopped: Guest, taken: str) -> None:
    with pytest.raises(Conflict):
        guests.guest_clone(session, stopped.id, taken, None)


def test_a_running_guest_is_not_cloned(session: MockSession, running: Guest) -> None:
    with pytest.raises(InvalidState):
        guests.guest_clone(session, running.id, "copy", None)


def test_the_number_of_guests_is_bounded(connect: Callable[..., MockSession]) -> None:
    session = connect(max_guests=4)
    last = guests_create.guest_create(session, GuestCreate(name="fits", memory=64))
    with pytest.raises(Conflict, match=r"no more guests: the limit .* is 4"):
        guests.guest_clone(session, last.id, "does not", None)
    guests.guest_delete(session, last.id)
    guests_create.guest_create(session, GuestCreate(name="fits again", memory=64))


def test_names_are_data(session: MockSession) -> None:
    odd = "'; DROP TABLE guest; -- <x>&%s é 机"
    made = guests_create.guest_create(session, GuestCreate(name=odd, memory=64))
    assert guests.guest_info(session, made.id).name == odd
    with pytest.raises(EntityNotFound):
        guests.guest_info(session, "' OR 1=1 --")
