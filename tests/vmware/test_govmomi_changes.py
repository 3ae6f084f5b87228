"""Changes of guests on govmomi's simulator, an implementation that nobody here wrote.

Devices are added and removed here, but not edited: that simulator ends if an edit has no ``deviceInfo``.
"""

import pytest

from simplestack import (
    Conflict,
    EntityNotFound,
    GuestUpdate,
    NetworkInterfaceCreate,
)
from simplestack_vmware.hooks.guests import guest_list
from simplestack_vmware.hooks.guests_update import guest_update
from simplestack_vmware.hooks.interfaces import (
    network_interface_create,
    network_interface_delete,
    network_interface_list,
)
from simplestack_vmware.hooks.media import media_info, media_mount, media_unmount
from simplestack_vmware.hooks.networks import network_list
from simplestack_vmware.hooks.power import guest_shutdown
from simplestack_vmware.vsphere.sessions.session import VmwareSession


def stopped_guest(session: VmwareSession) -> str:
    guest = guest_list(session, frozenset({"id"}))[0].id
    guest_shutdown(session, guest, force=True)
    return guest


def test_a_guest_is_changed(govmomi: VmwareSession) -> None:
    guest = stopped_guest(govmomi)
    other = guest_list(govmomi, frozenset({"name"}))[1].name
    shown = guest_update(govmomi, guest, GuestUpdate(name="web", memory=64, cpus=2))
    assert (shown.name, shown.memory, shown.cpus) == ("web", 64, 2)
    with pytest.raises(Conflict, match="has the name"):
        guest_update(govmomi, guest, GuestUpdate(name=other))


def test_interfaces_come_and_go(govmomi: VmwareSession) -> None:
    guest = stopped_guest(govmomi)
    before = network_interface_list(govmomi, guest)
    for network in network_list(govmomi):
        wanted = NetworkInterfaceCreate(network=network.id, mac="02:00:00:00:00:2a")
        made = network_interface_create(govmomi, guest, wanted)
        assert (made.id, made.network) == ("02:00:00:00:00:2a", network.name_label)
        network_interface_delete(govmomi, guest, made.id)
        assert network_interface_list(govmomi, guest) == before


def test_an_iso_that_is_not_there_is_not_found(govmomi: VmwareSession) -> None:
    guest = stopped_guest(govmomi)
    for name in ("nowhere.iso", "[LocalDS_0] nowhere.iso", "[LocalDS_0] nowhere/x.iso"):
        with pytest.raises(EntityNotFound, match="ISO:"):
            media_mount(govmomi, guest, name)
    media_unmount(govmomi, guest)
    assert media_info(govmomi, guest).name is None
