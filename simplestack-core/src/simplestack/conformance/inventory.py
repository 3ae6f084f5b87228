"""The entities on a host, to compare them before and after the run."""

from dataclasses import dataclass
from typing import Any

from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.kit import DISK_GIB, PREFIX, Kit
from simplestack.conformance.space import allocated_by_storage

#: Maximum number of guests whose disks, interfaces, snapshots, tags and media are compared.
_MOST_GUESTS = 50
#: Fields that guests or their hosts change.
_VOLATILE = ("ip", "tools_up_to_date", "host")
_PARTS = {
    "disk_list": "disks",
    "network_interface_list": "network interfaces",
    "snapshot_list": "snapshots",
    "tag_list": "tags",
    "media_info": "media",
}


@dataclass(frozen=True)
class Inventory:
    """Entities and space of a host."""

    #: Entities by description.
    entities: dict[str, Any]
    #: Allocated space by storage ID, of storages that report it.
    allocated_gib: dict[str, float]


def take_inventory(kit: Kit) -> Inventory:
    """List everything on the host."""
    entities: dict[str, Any] = {}
    client = kit.stack
    if kit.has("guest_list"):
        for number, guest in enumerate(client.do("guest_list")):
            stable = {name: value for name, value in guest.items() if name not in _VOLATILE}
            called = f"guest {guest['name']} ({guest['id']})"
            entities[called] = stable
            if number < _MOST_GUESTS:
                entities |= {f"{part} of {called}": its for part, its in _parts(kit, guest["id"]).items()}
    if kit.has("network_list"):
        for network in client.do("network_list"):
            entities[f"network {network['name_label']} ({network['id']})"] = network
    if kit.has("host_list"):
        for host in client.do("host_list"):
            entities[f"host {host['name']} ({host['id']})"] = host
    allocated: dict[str, float] = {}
    if kit.has("storage_list"):
        for storage in client.do("storage_list"):
            entities[f"storage {storage['name']} ({storage['id']})"] = {
                "name": storage["name"],
                "type": storage["type"],
            }
        allocated = allocated_by_storage(client)
    return Inventory(entities, allocated)


def differences(before: Inventory, after: Inventory, lasting: list[str]) -> list[str]:
    """Return a line for each difference.

    More allocated space counts if it is at least half a disk of the kit; less space never counts: others may
    use the host, too.

    :param lasting: names of networks that the kit has created and cannot remove
    """
    lines = []
    for called in sorted(before.entities.keys() | after.entities.keys()):
        then, now = before.entities.get(called), after.entities.get(called)
        if called not in after.entities:
            lines.append(f"{called} is gone")
        elif called not in before.entities:
            if not any(called.startswith(f"network {name} ") for name in lasting):
                lines.append(f"{called} was left behind")
        elif then != now:
            lines.append(f"{called} changed from {then} to {now}")
    told = before.allocated_gib.keys() & after.allocated_gib.keys()
    more_gib = sum(after.allocated_gib[storage] - before.allocated_gib[storage] for storage in told)
    if more_gib >= DISK_GIB / 2:
        lines.append(f"the storages have {more_gib:+g} GiB allocated: a disk may have been left behind")
    return lines


def protect_guests(kit: Kit) -> None:
    """Record the guests on the host, so that the kit never deletes them."""
    if kit.has("guest_list"):
        kit.existing |= {guest["id"] for guest in kit.stack.do("guest_list")}


def remove_leftovers(kit: Kit) -> None:
    """Delete guests of this run whose ID no response has returned, if possible."""
    if not (kit.has("guest_list") and kit.has("guest_delete")):
        return
    for guest in kit.stack.do("guest_list"):
        if guest["name"].startswith(kit.run) and guest["name"].startswith(PREFIX):
            kit.guests[guest["id"]] = None
    kit.clean()


def _parts(kit: Kit, guest_id: str) -> dict[str, Any]:
    parts = {}
    for operation, part in _PARTS.items():
        if kit.has(operation):
            try:
                parts[part] = kit.stack.do(operation, guest_id)
            except ErrorResponse as error:
                parts[part] = error.name
    return parts
