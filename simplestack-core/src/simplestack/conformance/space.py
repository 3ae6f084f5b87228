"""Space in the target's storages. Storages that do not say how much they have are left out."""

from typing import Any

from simplestack.conformance.client import Client


def allocated_by_storage(client: Client) -> dict[str, float]:
    """Return the GiB that each storage has promised, by its id."""
    return {storage["id"]: storage["allocated_space"] for storage in _known(client)}


def total_allocated(client: Client) -> float:
    """Return the GiB that all storages together have promised."""
    return sum(allocated_by_storage(client).values())


def roomiest_storage(client: Client) -> Any:
    """Return the storage with most free space."""
    known = _known(client)
    assert known, "no storage says its size, and how much of it is used and allocated"
    return max(known, key=lambda storage: storage["size"] - storage["used_space"])


def _known(client: Client) -> list[Any]:
    return [
        storage
        for storage in client.do("storage_list")
        if None not in (storage["size"], storage["used_space"], storage["allocated_space"])
    ]
