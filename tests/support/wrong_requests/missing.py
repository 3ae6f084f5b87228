"""Requests for what is not there: in the path, or by a name in the body."""

from typing import Any

from support.wrong_requests.model import GUEST, INTERFACES, MAC, NEW, WrongRequest


def _missing(what: str, path: str, message: str, method: str = "GET", *not_on: str) -> WrongRequest:
    """Return a request for something in a path that is not there."""
    return WrongRequest(what, method, path, None, 404, "EntityNotFound", message, not_on)


def _unnamed(what: str, path: str, body: Any, message: str, method: str = "POST") -> WrongRequest:
    """Return a request with a name in its body that nothing has."""
    return WrongRequest(what, method, path, body, 404, "EntityNotFound", message)


MISSING = (
    _missing("unknown guest", "/guests/no", "Guest:no not found", "DELETE"),
    _missing(
        "name of a guest",
        "/guests/desk/tags",
        "Guest:desk not found: the guest named 'desk' has the ID {guest}: use the ID",
        "GET",
        "vmware",  # whose clients have always used names
    ),
    _missing("unknown host", "/hosts/no", "Host:no not found: GET {host}/hosts lists the hosts"),
    _missing(
        "unknown storage", "/storages/no", "Storage:no not found: GET {host}/storages lists the storages"
    ),
    _missing(
        "unknown network", "/networks/no", "Network:no not found: GET {host}/networks lists the networks"
    ),
    _missing(
        "unknown disk", f"{GUEST}/disks/no", f"Disk:no not found: GET {{host}}{GUEST}/disks lists the disks"
    ),
    _missing(
        "name of a disk",
        f"{GUEST}/disks/{{quoted_disk_name}}",
        "Disk:{disk_name} not found: the disk named '{disk_name}' has the ID {disk}: use the ID",
        "DELETE",
    ),
    _missing(
        "unknown interface",
        f"{INTERFACES}/no",
        f"NetworkInterface:no not found: GET {{host}}{INTERFACES} lists the network interfaces",
    ),
    _missing(
        "unknown snapshot",
        f"{GUEST}/snapshots/no",
        f"Snapshot:no not found: GET {{host}}{GUEST}/snapshots lists the snapshots",
        "DELETE",
    ),
    _missing(
        "name of a snapshot",
        f"{GUEST}/snapshots/before/revert",
        "Snapshot:before not found: the snapshot named 'before' has the ID {snapshot}: use the ID",
        "PUT",
    ),
    _missing(
        "unknown tag",
        f"{GUEST}/tags/no",
        f"Tag:no not found: GET {{host}}{GUEST}/tags lists the tags",
        "DELETE",
    ),
    _unnamed(
        "unknown template",
        "/guests",
        {"name": "new", "template": "no"},
        "Template:no not found: `template` takes the ID or name of the guest or template to copy",
    ),
    _unnamed(
        "unknown image",
        "/guests",
        NEW | {"image": "no"},
        "Image:no not found: `image` takes the name of a volume in a storage",
    ),
    _unnamed(
        "unknown ISO image",
        "/guests",
        NEW | {"iso": "no"},
        "ISO:no not found: `iso` takes the name of the ISO image in the guest's CD drive",
    ),
    _unnamed(
        "unknown storage of a guest",
        "/guests",
        NEW | {"storage": "no"},
        "Storage:no not found: `storage` takes the ID or name of the storage for disks that do not name one; "
        "GET {host}/storages lists them",
    ),
    _unnamed(
        "unknown storage of a disk",
        "/guests",
        NEW | {"disks": [{"size": 1}, {"size": 1, "storage": "no"}]},
        "Storage:no not found: `disks[1].storage` takes the ID or name of the storage; "
        "GET {host}/storages lists them",
    ),
    _unnamed(
        "unknown network of a guest",
        "/guests",
        NEW | {"network_interfaces": [{"network": "no"}]},
        "Network:no not found: `network_interfaces[0].network` takes the name or ID of a network; "
        "GET {host}/networks lists them",
    ),
    _unnamed(
        "unknown storage of a new disk",
        f"{GUEST}/disks",
        {"size": 1, "storage_id": "no"},
        "Storage:no not found: `storage_id` takes the ID or name of the storage; "
        "GET {host}/storages lists them",
    ),
    _unnamed(
        "unknown network of an interface",
        INTERFACES,
        {"network": "no"},
        "Network:no not found: `network` takes the name or ID of a network; GET {host}/networks lists them",
    ),
    _unnamed(
        "unknown new network of an interface",
        f"{INTERFACES}/{MAC}",
        {"network": "no"},
        "Network:no not found: `network` takes the name or ID of the new network; "
        "GET {host}/networks lists them",
        "PUT",
    ),
    _unnamed(
        "unknown network of a VLAN",
        "/networks",
        {"name": "new", "from_network": "no", "vlan": 7},
        "Network:no not found: `from_network` takes the name of the network that uses the physical "
        "interface; GET {host}/networks lists them",
    ),
    _unnamed(
        "unknown medium",
        f"{GUEST}/media_device",
        {"name": "no"},
        "ISO:no not found: `name` takes the name of the ISO image to insert",
        "PUT",
    ),
)
