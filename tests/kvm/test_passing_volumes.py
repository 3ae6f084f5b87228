"""Volumes of imports and exports that are under way: no client can name them."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import libvirt
import msgspec
import pytest

from simplestack import EntityNotFound, Guest, GuestCreate, Target
from simplestack_kvm.hooks.guests import guest_delete
from simplestack_kvm.hooks.guests_create import guest_create
from simplestack_kvm.hooks.guests_export import guest_export
from simplestack_kvm.hooks.guests_import import guest_import
from simplestack_kvm.hooks.media import media_mount
from simplestack_kvm.hooks.snapshots import snapshot_create
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.settings import KvmSettings

from .appliances import FIRST, stream_optimized
from .counterparts.libvirtd import Libvirtd
from .snapshot_guests import a_guest
from .uploads import DESCRIBED, Upload


@pytest.fixture
def other_session(libvirtd: Libvirtd, settings: KvmSettings) -> Iterator[KvmSession]:
    with closing(libvirt.open(libvirtd.uri)) as connection:
        yield KvmSession(connection, settings, Target("localhost"))


@pytest.fixture
def guest(session: KvmSession, libvirtd: Libvirtd) -> Iterator[Guest]:
    with a_guest(session, libvirtd) as guest:
        yield guest


def require_unknown(session: KvmSession, libvirtd: Libvirtd, guest: Guest, name: str) -> None:
    """Check that a client finds no volume of this name, whatever it wants it for."""
    pool = session.connection.storagePoolLookupByName(libvirtd.pool)
    assert pool.storageVolLookupByName(name).name() == name
    curious = GuestCreate(name="curious", memory=32, storage=libvirtd.pool)
    for field, entity in (("iso", "ISO"), ("image", "Image")):
        wanted = msgspec.structs.replace(curious, **{field: name})
        with pytest.raises(EntityNotFound, match=f"{entity}:{re.escape(name)} not found"):
            guest_delete(session, guest_create(session, wanted).id)
    with pytest.raises(EntityNotFound, match=f"ISO:{re.escape(name)} not found"):
        media_mount(session, guest.id, name)


def test_an_image_that_is_being_imported_cannot_be_named(
    session: KvmSession, other_session: KvmSession, libvirtd: Libvirtd, tmp_path: Path, guest: Guest
) -> None:
    content = stream_optimized(tmp_path, FIRST)
    names: set[str] = set()

    def look(read_bytes: int) -> None:
        for path in libvirtd.pool_folder.glob("*.upload"):
            require_unknown(other_session, libvirtd, guest, path.name)
            names.add(path.name)

    made = guest_import(session, Upload(content, look), None, libvirtd.pool, DESCRIBED)
    guest_delete(session, made.id)
    assert len(names) == 1


def test_a_disk_that_is_copied_to_be_exported_cannot_be_named(
    session: KvmSession, other_session: KvmSession, libvirtd: Libvirtd, guest: Guest
) -> None:
    snapshot_create(session, guest.id, "so that it is copied")
    export = guest_export(session, guest.id)
    with closing(export.chunks):  # type: ignore[type-var]  # core closes what can be
        next(iter(export.chunks))
        names = [path.name for path in libvirtd.pool_folder.glob("export-*")]
        for name in names:
            require_unknown(other_session, libvirtd, guest, name)
    assert names
