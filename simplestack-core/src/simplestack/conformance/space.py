"""Space in the host's storages. Storages that do not report their sizes are left out."""

from typing import Any

from simplestack.conformance.client import Client


def allocated_by_storage(client: Client) -> dict[str, float]:
    """Return the allocated GiB by storage ID."""
    return {storage["id"]: storage["allocated_space"] for storage in _known(client)}


def total_allocated(client: Client) -> float:
    """Return the allocated GiB of all storages."""
    return sum(allocated_by_storage(client).values())


def roomiest_storage(client: Client) -> Any:
    """Return the storage with the most free space."""
    known = _known(client)
    assert known, "no storage reports its size, its used space and its allocated space"
    return max(known, key=lambda storage: storage["size"] - storage["used_space"])


def _known(client: Client) -> list[Any]:
    return [
        storage
        for storage in client.do("storage_list")
        if None not in (storage["size"], storage["used_space"], storage["allocated_space"])
    ]
