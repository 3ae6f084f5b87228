"""The table of all operations of the REST contract.

The router, the OpenAPI document, the command line and the tests use it. CONTRIBUTING.md describes how to add
an operation.
"""

from simplestack.entities.disk import Disk, DiskCreate, DiskUpdate
from simplestack.entities.guest import (
    Guest,
    GuestClone,
    GuestCreate,
    GuestImport,
    GuestUpdate,
    PowerRequest,
    RebootRequest,
)
from simplestack.entities.media import Media, MediaRequest
from simplestack.entities.network import (
    Network,
    NetworkCreate,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack.entities.pool import Host, Pool
from simplestack.entities.snapshot import Snapshot, SnapshotCreate
from simplestack.entities.storage import Storage
from simplestack.entities.tag import TagCreate
from simplestack.entities.transfer import Export
from simplestack.operations import calls
from simplestack.operations.model import JsonBody, Operation, StreamBody

_GUEST = "/guests/{guest_id}"
_DISK = f"{_GUEST}/disks/{{disk_id}}"
_INTERFACE = f"{_GUEST}/network_interfaces/{{interface_id}}"
_SNAPSHOT = f"{_GUEST}/snapshots/{{snapshot_id}}"
_IMAGE = StreamBody(query=GuestImport, argument="description")

OPERATIONS = (
    Operation(name="pool_info", method="GET", path="/", result=Pool),
    Operation(name="host_list", method="GET", path="/hosts", result=list[Host]),
    Operation(name="host_info", method="GET", path="/hosts/{host_id}", result=Host),
    Operation(name="storage_list", method="GET", path="/storages", result=list[Storage]),
    Operation(name="storage_info", method="GET", path="/storages/{storage_id}", result=Storage),
    Operation(
        name="storage_guest_import",
        method="POST",
        path="/storages/{storage_id}/guests",
        summary="Create a guest from an image, with its disks in this storage.",
        body=_IMAGE,
        hooks=("guest_import",),
        result=Guest,
        status=201,
        location="/guests/{id}",
        moves_data=True,
    ),
    Operation(name="guest_list", method="GET", path="/guests", result=list[Guest]),
    Operation(
        name="guest_create",
        method="POST",
        path="/guests",
        body=JsonBody(type=GuestCreate, argument="guest"),
        result=Guest,
        status=201,
        location="/guests/{id}",
        moves_data=True,
    ),
    Operation(
        name="guest_import",
        method="POST",
        path="/guests",
        body=_IMAGE,
        result=Guest,
        status=201,
        location="/guests/{id}",
        moves_data=True,
    ),
    Operation(name="guest_info", method="GET", path=_GUEST, result=Guest),
    Operation(
        name="guest_update",
        method="PUT",
        path=_GUEST,
        body=JsonBody(type=GuestUpdate, argument="changes"),
        result=Guest,
    ),
    Operation(name="guest_delete", method="DELETE", path=_GUEST, result=None, status=204),
    Operation(
        name="guest_clone",
        method="POST",
        path=f"{_GUEST}/clone",
        body=JsonBody(type=GuestClone),
        choose=calls.clone,
        result=Guest,
        status=201,
        location="/guests/{id}",
        moves_data=True,
    ),
    Operation(name="guest_export", method="GET", path=f"{_GUEST}/export", result=Export, moves_data=True),
    Operation(
        name="power_guest",
        method="PUT",
        path=f"{_GUEST}/power",
        summary="Start, stop, pause or resume a guest.",
        body=JsonBody(type=PowerRequest),
        hooks=calls.POWER_HOOKS,
        choose=calls.power,
        result=None,
        response=calls.power_response,
        moves_data=calls.POWER_HOOKS_THAT_MOVE_MEMORY,
    ),
    Operation(
        name="reboot_guest",
        method="PUT",
        path=f"{_GUEST}/reboot",
        body=JsonBody(type=RebootRequest, required=False),
        hooks=("guest_reboot",),
        choose=calls.reboot,
        result=None,
        response=calls.reboot_response,
    ),
    Operation(name="disk_list", method="GET", path=f"{_GUEST}/disks", result=list[Disk]),
    Operation(
        name="disk_create",
        method="POST",
        path=f"{_GUEST}/disks",
        body=JsonBody(type=DiskCreate, argument="disk"),
        result=Disk,
        status=201,
        location=f"{_GUEST}/disks/{{id}}",
        moves_data=True,
    ),
    Operation(name="disk_info", method="GET", path=_DISK, result=Disk),
    Operation(
        name="disk_update",
        method="PUT",
        path=_DISK,
        body=JsonBody(type=DiskUpdate, argument="changes"),
        result=Disk,
        moves_data=True,
    ),
    Operation(name="disk_delete", method="DELETE", path=_DISK, result=None, status=204, moves_data=True),
    Operation(name="media_info", method="GET", path=f"{_GUEST}/media_device", result=Media),
    Operation(
        name="media_mount",
        method="PUT",
        path=f"{_GUEST}/media_device",
        summary="Insert an ISO image into a guest's CD drive, or eject it.",
        body=JsonBody(type=MediaRequest),
        hooks=("media_mount", "media_unmount"),
        choose=calls.media,
        result=None,
        status=204,
    ),
    Operation(name="network_list", method="GET", path="/networks", result=list[Network]),
    Operation(name="network_info", method="GET", path="/networks/{network_id}", result=Network),
    Operation(
        name="network_vlan_create",
        method="POST",
        path="/networks",
        body=JsonBody(type=NetworkCreate, argument="network"),
        result=Network,
        status=201,
        location="/networks/{id}",
    ),
    Operation(
        name="network_interface_list",
        method="GET",
        path=f"{_GUEST}/network_interfaces",
        result=list[NetworkInterface],
    ),
    Operation(
        name="network_interface_create",
        method="POST",
        path=f"{_GUEST}/network_interfaces",
        body=JsonBody(type=NetworkInterfaceCreate, argument="interface"),
        result=NetworkInterface,
        status=201,
        location=f"{_GUEST}/network_interfaces/{{id}}",
    ),
    Operation(name="network_interface_info", method="GET", path=_INTERFACE, result=NetworkInterface),
    Operation(
        name="network_interface_update",
        method="PUT",
        path=_INTERFACE,
        body=JsonBody(type=NetworkInterfaceUpdate, argument="changes"),
        result=NetworkInterface,
    ),
    Operation(name="network_interface_delete", method="DELETE", path=_INTERFACE, result=None, status=204),
    Operation(name="snapshot_list", method="GET", path=f"{_GUEST}/snapshots", result=list[Snapshot]),
    Operation(
        name="snapshot_create",
        method="POST",
        path=f"{_GUEST}/snapshots",
        body=JsonBody(type=SnapshotCreate, required=False),
        choose=calls.snapshot,
        result=Snapshot,
        status=201,
        location=f"{_GUEST}/snapshots/{{id}}",
        moves_data=True,
    ),
    Operation(name="snapshot_info", method="GET", path=_SNAPSHOT, result=Snapshot),
    Operation(
        name="snapshot_revert",
        method="PUT",
        path=f"{_SNAPSHOT}/revert",
        result=Snapshot,
        moves_data=True,
    ),
    Operation(
        name="snapshot_delete",
        method="DELETE",
        path=_SNAPSHOT,
        result=None,
        status=204,
        moves_data=True,
    ),
    Operation(name="tag_list", method="GET", path=f"{_GUEST}/tags", result=list[str]),
    Operation(
        name="tag_create",
        method="POST",
        path=f"{_GUEST}/tags",
        body=JsonBody(type=TagCreate),
        choose=calls.tag,
        result=list[str],
        status=201,
        location=f"{_GUEST}/tags/{{name}}",
    ),
    Operation(name="tag_delete", method="DELETE", path=f"{_GUEST}/tags/{{name}}", result=None, status=204),
)

#: All hooks that operations call.
HOOKS = tuple(dict.fromkeys(hook for operation in OPERATIONS for hook in operation.hooks))
#: By hook: the type that it must return.
RESULTS = {hook: operation.result for operation in OPERATIONS for hook in operation.hooks}
#: By hook: the name and type of the argument that takes the body.
BODIES = {
    operation.name: (operation.body.argument, operation.body.type)
    for operation in OPERATIONS
    if isinstance(operation.body, JsonBody) and operation.body.argument is not None
}
#: Hooks with the time limit `long_call_timeout_seconds`.
LONG_HOOKS = frozenset(hook for operation in OPERATIONS for hook in operation.long_hooks)
#: Hooks that stream an image.
TRANSFER_HOOKS = frozenset(
    hook
    for operation in OPERATIONS
    if isinstance(operation.body, StreamBody) or operation.result is Export
    for hook in operation.hooks
)
