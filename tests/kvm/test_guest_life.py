"""The life of a real guest: QEMU's software emulation, a Linux that boots, and its network."""

import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial

import pytest
from msgspec import yaml

from simplestack import (
    DiskCreate,
    DiskUpdate,
    EntityNotFound,
    GuestCreate,
    GuestState,
    GuestUpdate,
    InvalidState,
    NewDisk,
    NewNetworkInterface,
)
from simplestack_kvm.hooks.disks import disk_create, disk_delete, disk_list, disk_update
from simplestack_kvm.hooks.guests import guest_clone, guest_delete, guest_info, guest_list
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.power import guest_reboot, guest_resume, guest_shutdown, guest_start, guest_suspend
from simplestack_kvm.hooks.snapshots import snapshot_create, snapshot_revert
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd

ALL_FIELDS = frozenset({"id", "name", "cpus", "memory", "hdd", "paravirtualized", "ip", "state", "host"})
BOOT_SECONDS = 90

Until = Callable[[Callable[[], bool], float, str], None]


def fetch(address: str | None, path: str = "") -> bytes:
    """Return what the guest's web server says: its address is on this machine's own bridge."""
    if address is None:
        return b""
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=2) as response:
            return bytes(response.read())
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return b""


def answers(address: str | None) -> bool:
    """Tell whether the guest's web server says hello."""
    return fetch(address).strip() == b"hello"


def fetched(session: KvmSession, guest_id: str, path: str = "") -> bytes:
    return fetch(guest_info(session, guest_id).ip, path)


def is_up(session: KvmSession, guest_id: str) -> bool:
    return answers(guest_info(session, guest_id).ip)


def test_a_guest_lives_from_its_image_to_its_deletion(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, until: Until
) -> None:
    before = {path.name for path in libvirtd.pool_folder.iterdir()}
    made = guest_create(
        session,
        GuestCreate(
            name="life of a guest <&>",
            memory=128,
            cpus=1,
            image=guest_volume,
            disks=[NewDisk(size=0.5, name="data")],
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            storage=libvirtd.pool,
            start=True,
        ),
    )
    assert (made.state, made.memory, made.cpus) == (GuestState.STARTED, 128, 1)
    assert made.paravirtualized is True
    assert made.hdd == pytest.approx(48 / 1024 + 0.5)

    until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
    shown = guest_info(session, made.id)
    assert [guest for guest in guest_list(session, ALL_FIELDS) if guest.id == made.id] == [shown]

    guest_suspend(session, made.id)
    assert guest_info(session, made.id).state == GuestState.PAUSED
    assert not answers(shown.ip)
    with pytest.raises(InvalidState, match="PAUSED"):
        guest_shutdown(session, made.id, force=False)
    guest_resume(session, made.id)
    until(lambda: answers(shown.ip), BOOT_SECONDS, "the resumed guest answers")

    added = disk_create(session, made.id, DiskCreate(size=0.25, name="hot", storage_id=libvirtd.pool))
    assert (added.id, added.name, added.size) == ("vdc", "hot", 0.25)
    assert disk_update(session, made.id, added.id, DiskUpdate(size=0.5)).size == 0.5
    assert guest_info(session, made.id).hdd == pytest.approx(48 / 1024 + 1)
    disk_delete(session, made.id, added.id)
    assert [disk.name for disk in disk_list(session, made.id)][1:] == ["data"]
    assert guest_update(session, made.id, GuestUpdate(hdd=1.0)).hdd == 1.0
    assert guest_update(session, made.id, GuestUpdate(memory=120)).memory == 120

    guest_reboot(session, made.id, force=True)
    until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the reset guest answers")
    guest_reboot(session, made.id, force=False)
    until(lambda: not answers(shown.ip), BOOT_SECONDS, "the guest reboots")
    until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the rebooted guest answers")

    with pytest.raises(InvalidState, match="STARTED"):
        guest_start(session, made.id)
    with pytest.raises(InvalidState, match="STARTED"):
        guest_delete(session, made.id)
    guest_shutdown(session, made.id, force=False)
    stopped = guest_info(session, made.id)
    assert (stopped.state, stopped.ip) == (GuestState.STOPPED, None)

    guest_delete(session, made.id)
    with pytest.raises(EntityNotFound):
        guest_info(session, made.id)
    assert {path.name for path in libvirtd.pool_folder.iterdir()} == before | {guest_volume}


def test_a_guest_answers_what_its_user_data_says(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, until: Until
) -> None:
    before = {path.name for path in libvirtd.pool_folder.iterdir()}
    script = "#!/bin/sh\necho 'from <user> data & é' >/www/index.html\n"
    made = guest_create(
        session,
        GuestCreate(
            name="user data of a guest",
            memory=128,
            image=guest_volume,
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            storage=libvirtd.pool,
            user_data=script,
            network_config="version: 2\n",
            hostname="web-1",
            ssh_keys=["ssh-ed25519 AAAA"],
            start=True,
        ),
    )
    said = "from <user> data & é\n".encode()
    until(
        lambda: fetched(session, made.id) == said, BOOT_SECONDS, "the guest answers what its user data says"
    )
    assert fetched(session, made.id, "cidata/user-data") == script.encode()
    assert fetched(session, made.id, "cidata/network-config") == b"version: 2\n"
    metadata = yaml.decode(fetched(session, made.id, "cidata/meta-data"))
    keys = ["ssh-ed25519 AAAA"]
    assert metadata == {"instance-id": made.id, "local-hostname": "web-1", "public-keys": keys}
    guest_shutdown(session, made.id, force=False)
    guest_delete(session, made.id)
    assert {path.name for path in libvirtd.pool_folder.iterdir()} == before


def test_a_guest_goes_on_from_its_snapshot_and_its_clone_boots_beside_it(
    session: KvmSession, libvirtd: Libvirtd, guest_volume: str, until: Until
) -> None:
    before = {path.name for path in libvirtd.pool_folder.iterdir()}
    made = guest_create(
        session,
        GuestCreate(
            name="snapshots of a guest",
            memory=128,
            image=guest_volume,
            network_interfaces=[NewNetworkInterface(network=libvirtd.network)],
            storage=libvirtd.pool,
            start=True,
        ),
    )
    until(lambda: answers(guest_info(session, made.id).ip), BOOT_SECONDS, "the guest answers")
    taken = snapshot_create(session, made.id, "booted")
    assert taken.state == GuestState.STARTED
    guest_shutdown(session, made.id, force=False)
    clone = guest_clone(session, made.id, "clone of a guest", None)
    assert snapshot_revert(session, made.id, taken.id) == taken
    guest_start(session, clone.id)
    for guest in (made, clone):
        until(partial(is_up, session, guest.id), BOOT_SECONDS, f"{guest.name} answers")
    assert guest_info(session, clone.id).ip != guest_info(session, made.id).ip
    for guest in (made, clone):
        guest_shutdown(session, guest.id, force=True)
        guest_delete(session, guest.id)
    assert {path.name for path in libvirtd.pool_folder.iterdir()} == before
