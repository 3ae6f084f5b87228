"""What a new world begins with, and what worlds have in common: nothing."""

from collections.abc import Callable

import pytest

from simplestack import EntityNotFound, Guest, GuestCreate, GuestState, InsufficientStorage
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.mock import MockSession, plugin
from simplestack.mock.hooks import guests, guests_create, hosts, networks, pools, power, storages
from simplestack.plugins.diagnosis import check_modules, implementations
from support.known import known


def test_every_hook_is_implemented() -> None:
    check_modules(plugin.hooks)
    done = {hook for module in plugin.hooks for hook, _ in implementations(module)}
    assert done == set(SPEC_PARAMETERS)
    rooms = {module.__name__.rpartition(".")[0] for module in plugin.hooks}
    assert rooms == {"simplestack.mock.hooks"}


def test_a_new_world_is_furnished(session: MockSession) -> None:
    assert len(hosts.host_list(session)) == 2
    assert [storage.type for storage in storages.storage_list(session)] == ["lvm", "nfs", "iso"]
    assert len(networks.network_list(session)) == 2
    started, stopped = guests.guest_list(session)
    assert (started.state, stopped.state) == (GuestState.STARTED, GuestState.STOPPED)
    assert started.ip is not None
    assert started.host in {host.name for host in hosts.host_list(session)}
    assert (stopped.ip, stopped.host) == (None, None)


def test_each_listed_thing_can_be_shown(session: MockSession) -> None:
    listed = hosts.host_list(session)
    assert [hosts.host_info(session, host.id) for host in listed] == listed != []
    found = storages.storage_list(session)
    assert [storages.storage_info(session, storage.id) for storage in found] == found != []
    wired = networks.network_list(session)
    assert [networks.network_info(session, network.id) for network in wired] == wired != []
    present = guests.guest_list(session)
    assert [guests.guest_info(session, guest.id) for guest in present] == present != []


@pytest.mark.parametrize(
    ("hook", "entity"),
    [
        (hosts.host_info, "Host"),
        (storages.storage_info, "Storage"),
        (networks.network_info, "Network"),
        (guests.guest_info, "Guest"),
    ],
)
def test_an_unknown_id_is_not_found(session: MockSession, hook: object, entity: str) -> None:
    with pytest.raises(EntityNotFound, match=rf"^{entity}:42 not found$"):
        hook(session, "42")  # type: ignore[operator]  # hooks of one shape


def test_worlds_are_apart(connect: Callable[..., MockSession]) -> None:
    one, other = connect("one"), connect("other")
    made = guests_create.guest_create(one, GuestCreate(name="only here", memory=64))
    with pytest.raises(EntityNotFound):
        guests.guest_info(other, made.id)
    with pytest.raises(EntityNotFound):
        guests.guest_delete(other, made.id)
    assert not {guest.id for guest in guests.guest_list(one)} & {g.id for g in guests.guest_list(other)}
    assert pools.pool_info(one).id != pools.pool_info(other).id


def test_the_number_of_worlds_is_bounded(connect: Callable[..., MockSession]) -> None:
    connect("one", max_worlds=1)
    with pytest.raises(InsufficientStorage, match=r"other would be one world too many.*max_worlds"):
        connect("other", max_worlds=1)
    connect("one", max_worlds=1)


def test_the_pool_counts_the_memory_of_guests_that_run(session: MockSession, stopped: Guest) -> None:
    before = pools.pool_info(session)
    power.guest_start(session, stopped.id)
    during = pools.pool_info(session)
    power.guest_suspend(session, stopped.id)
    paused = pools.pool_info(session)
    power.guest_shutdown(session, stopped.id, True)
    assert during.used_memory == paused.used_memory == before.used_memory + known(stopped.memory)
    assert pools.pool_info(session) == before
    assert before.master == hosts.host_list(session)[0].address
    assert "version" in before.software_info


def test_a_whole_number_of_gib_reads_so_on_the_wire(session: MockSession, running: Guest) -> None:
    assert repr(guests.guest_info(session, running.id).hdd) == "20"
    assert repr(storages.storage_list(session)[0].size) == "4096"
