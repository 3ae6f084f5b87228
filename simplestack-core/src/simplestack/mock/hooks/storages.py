"""Hooks of storages."""

from simplestack import EntityNotFound, Storage, gib, hookimpl
from simplestack.mock.session import MockSession


@hookimpl
def storage_list(session: MockSession) -> list[Storage]:
    """List the world's storages."""
    taken = session.storage_bytes()
    return [
        Storage(
            id=site.id,
            name=site.name,
            type=site.type,
            used_space=gib(taken[site.name][1]),
            allocated_space=gib(taken[site.name][0]),
            size=gib(site.size_bytes),
        )
        for site in session.storages
    ]


@hookimpl
def storage_info(session: MockSession, storage_id: str) -> Storage:
    """Show one storage."""
    for storage in storage_list(session):
        if storage.id == storage_id:
            return storage
    raise EntityNotFound("Storage", storage_id)
