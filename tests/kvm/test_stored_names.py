"""Names of disks and snapshots that XML cannot contain. libvirt answers them with the whole document."""

import uuid
from collections.abc import Callable

import pytest

from simplestack import (
    DiskCreate,
    DiskUpdate,
    Guest,
    GuestCreate,
    GuestUpdate,
    InvalidArguments,
    NewDisk,
)
from simplestack_kvm.hooks.disks import disk_create, disk_update
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_update import guest_update
from simplestack_kvm.hooks.snapshots import snapshot_create
from simplestack_kvm.libvirtd.connection.session import KvmSession

from .counterparts.libvirtd import Libvirtd
from .host_state import host_state

NAME = "a\ufffeb"
Change = Callable[[KvmSession, Guest], object]


def wanted(libvirtd: Libvirtd, name: str | None = None, template: str | None = None) -> GuestCreate:
    return GuestCreate(
        name=f"names-{uuid.uuid4().hex[:8]}",
        memory=None if template else 32,
        disks=[NewDisk(size=0.01, name=name)],
        storage=libvirtd.pool,
        template=template,
    )


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (lambda session, guest: snapshot_create(session, guest.id, NAME), "snapshot"),
        (lambda session, guest: disk_create(session, guest.id, DiskCreate(size=0.01, name=NAME)), "disk"),
        (lambda session, guest: disk_update(session, guest.id, "vda", DiskUpdate(name=NAME)), "disk"),
        (lambda session, guest: guest_update(session, guest.id, GuestUpdate(name=NAME)), "guest"),
    ],
    ids=["snapshot_create", "disk_create", "disk_update", "guest_update"],
)
def test_a_change_to_a_name_that_xml_cannot_contain_is_400_and_changes_nothing(
    session: KvmSession, libvirtd: Libvirtd, change: Change, kind: str
) -> None:
    guest = guest_create(session, wanted(libvirtd))
    before = host_state(session.connection, libvirtd)
    with pytest.raises(InvalidArguments) as rejected:
        change(session, guest)
    assert rejected.value.message == (
        "`name`: 'a\\ufffeb' has the character U+FFFE, which XML and thus libvirt cannot store: "
        f"choose another {kind} name"
    )
    assert host_state(session.connection, libvirtd) == before
    guest_delete(session, guest.id)


@pytest.mark.parametrize("is_copy", [False, True])
def test_a_new_guest_whose_disk_has_such_a_name_is_400_and_leaves_nothing(
    session: KvmSession, libvirtd: Libvirtd, *, is_copy: bool
) -> None:
    origin = guest_create(session, wanted(libvirtd))
    before = host_state(session.connection, libvirtd)
    with pytest.raises(InvalidArguments, match="choose another disk name"):
        guest_create(session, wanted(libvirtd, NAME, origin.id if is_copy else None))
    assert host_state(session.connection, libvirtd) == before
    guest_delete(session, origin.id)
