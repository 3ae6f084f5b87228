"""The CD drive."""

from simplestack import Media, hookimpl
from simplestack_kvm.libvirtd.connection.lookups import find_pool
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.disks.drives import eject, find_iso, insert, medium_name
from simplestack_kvm.libvirtd.guests.domains import find_domain


@hookimpl
def media_info(session: KvmSession, guest_id: str) -> Media:
    """Show which ISO image is in a guest's first CD drive."""
    return Media(name=medium_name(session, find_domain(session, guest_id)))


@hookimpl
def media_mount(session: KvmSession, guest_id: str, name: str) -> None:
    """Insert an image of an active storage, by the name of its volume, into the guest's first CD drive.

    :raises InvalidState: the guest runs and has no CD drive
    :raises Conflict: it keeps the drive locked, or several storages have such an image
    """
    domain = find_domain(session, guest_id)
    default = session.settings.default_storage
    insert(domain, find_iso(session, name, None if default is None else find_pool(session, default)))


@hookimpl
def media_unmount(session: KvmSession, guest_id: str) -> None:
    """Eject the ISO image from the guest's first CD drive.

    :raises Conflict: the guest keeps the drive locked
    """
    eject(find_domain(session, guest_id))
