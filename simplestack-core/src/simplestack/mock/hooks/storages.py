"""Hooks of storages."""

from simplestack import EntityNotFound, Storage, gib, hookimpl
from simplestack.mock.session import MockSession
from simplestack.mock.store.landscape import StorageSite


@hookimpl
def storage_list(session: MockSession) -> list[Storage]:
    """List the world's storages."""
    booked = session.storage_bytes()
    return [_entity(site, *booked.get(site.id, (0, 0))) for site in session.landscape.storages]


@hookimpl
def storage_info(session: MockSession, storage_id: str) -> Storage:
    """Show one storage."""
    for site in session.landscape.storages:
        if site.id == storage_id:
            return _entity(site, *session.storage_bytes().get(site.id, (0, 0)))
    raise EntityNotFound("Storage", storage_id)


def _entity(site: StorageSite, allocated_bytes: int, used_bytes: int) -> Storage:
    """Show a storage: disks are promised their size, and occupy what was written to them."""
    return Storage(
        id=site.id,
        name=site.name,
        type=site.type,
        used_space=gib(site.preset_bytes + used_bytes),
        allocated_space=gib(site.preset_bytes + allocated_bytes),
        size=gib(site.size_bytes),
    )
