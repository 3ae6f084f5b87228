"""Space in the target's storages. Storages that do not say how much they have are left out."""

from collections.abc import Mapping
from typing import Any

from simplestack.conformance.client import Client


def allocated_by_storage(client: Client) -> dict[str, float]:
    """Return the GiB that each storage has promised, by its id."""
    return {storage["id"]: allocated_gib(storage) for storage in client.do("storage_list")}


def total_allocated(client: Client) -> float:
    """Return the GiB that all storages together have promised."""
    return sum(allocated_by_storage(client).values())


def allocated_gib(storage: Mapping[str, Any]) -> float:
    """Return the GiB that a storage has promised; 0 where it does not say."""
    return float(storage["allocated_space"] or 0)


def roomiest_storage(client: Client) -> Any:
    """Return the storage with most free space."""
    known = [
        storage
        for storage in client.do("storage_list")
        if storage["size"] is not None and storage["used_space"] is not None
    ]
    assert known, "no storage says its size and what is used of it"
    return max(known, key=lambda storage: storage["size"] - storage["used_space"])
