"""Tags of guests. They are kept in libvirt's metadata, as other tools show it."""

from simplestack import EntityNotFound, hookimpl
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.guests.domains import find_domain
from simplestack_kvm.libvirtd.guests.tags import add_tag, read_tags, remove_tag


@hookimpl
def tag_list(session: KvmSession, guest_id: str) -> list[str]:
    """List a guest's tags."""
    return read_tags(find_domain(session, guest_id))


@hookimpl
def tag_create(session: KvmSession, guest_id: str, name: str) -> list[str]:
    """Add a tag to a guest."""
    domain = find_domain(session, guest_id)
    add_tag(domain, name)
    return read_tags(domain)


@hookimpl
def tag_delete(session: KvmSession, guest_id: str, name: str) -> None:
    """Remove a tag from a guest."""
    domain = find_domain(session, guest_id)
    if name not in read_tags(domain):
        raise EntityNotFound("Tag", name)
    remove_tag(domain, name)
