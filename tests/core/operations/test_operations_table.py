"""The table is the contract: nothing that a client relies on may change unnoticed."""

from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.table import BODIES, OPERATIONS

G = "/guests/{guest_id}"
#: Method, path and success of each operation that was released, as clients in production speak it.
RELEASED = {
    "pool_info": ("GET", "/", 200),
    "host_list": ("GET", "/hosts", 200),
    "host_info": ("GET", "/hosts/{host_id}", 200),
    "storage_list": ("GET", "/storages", 200),
    "storage_info": ("GET", "/storages/{storage_id}", 200),
    "storage_guest_import": ("POST", "/storages/{storage_id}/guests", 201),
    "guest_list": ("GET", "/guests", 200),
    "guest_create": ("POST", "/guests", 201),
    "guest_import": ("POST", "/guests", 201),
    "guest_info": ("GET", G, 200),
    "guest_update": ("PUT", G, 200),
    "guest_delete": ("DELETE", G, 204),
    "guest_clone": ("POST", f"{G}/clone", 201),
    "guest_export": ("GET", f"{G}/export", 200),
    "power_guest": ("PUT", f"{G}/power", 200),
    "reboot_guest": ("PUT", f"{G}/reboot", 200),
    "disk_list": ("GET", f"{G}/disks", 200),
    "disk_create": ("POST", f"{G}/disks", 201),
    "disk_info": ("GET", f"{G}/disks/{{disk_id}}", 200),
    "disk_update": ("PUT", f"{G}/disks/{{disk_id}}", 200),
    "disk_delete": ("DELETE", f"{G}/disks/{{disk_id}}", 204),
    "media_info": ("GET", f"{G}/media_device", 200),
    "media_mount": ("PUT", f"{G}/media_device", 204),
    "network_list": ("GET", "/networks", 200),
    "network_info": ("GET", "/networks/{network_id}", 200),
    "network_vlan_create": ("POST", "/networks", 201),
    "network_interface_list": ("GET", f"{G}/network_interfaces", 200),
    "network_interface_create": ("POST", f"{G}/network_interfaces", 201),
    "network_interface_info": ("GET", f"{G}/network_interfaces/{{interface_id}}", 200),
    "network_interface_update": ("PUT", f"{G}/network_interfaces/{{interface_id}}", 200),
    "network_interface_delete": ("DELETE", f"{G}/network_interfaces/{{interface_id}}", 204),
    "snapshot_list": ("GET", f"{G}/snapshots", 200),
    "snapshot_create": ("POST", f"{G}/snapshots", 201),
    "snapshot_info": ("GET", f"{G}/snapshots/{{snapshot_id}}", 200),
    "snapshot_revert": ("PUT", f"{G}/snapshots/{{snapshot_id}}/revert", 200),
    "snapshot_delete": ("DELETE", f"{G}/snapshots/{{snapshot_id}}", 204),
    "tag_list": ("GET", f"{G}/tags", 200),
    "tag_create": ("POST", f"{G}/tags", 201),
    "tag_delete": ("DELETE", f"{G}/tags/{{name}}", 204),
}


def test_what_was_released_stays_as_it_is() -> None:
    table = {row.name: (row.method, row.path, row.status) for row in OPERATIONS}
    assert {name: table.get(name) for name in RELEASED} == RELEASED
    assert len(RELEASED) == 39, "an operation that was released is never removed"


def test_every_argument_of_a_hookspec_comes_from_the_path_or_the_body() -> None:
    for row in OPERATIONS:
        in_path = {part.strip("{}") for part in row.path.split("/") if part.startswith("{")}
        for hook in row.hooks:
            assert SPEC_PARAMETERS[hook][0] == "session"
            assert in_path <= set(SPEC_PARAMETERS[hook]), f"{row.name}: {hook} does not take {in_path}"
        if row.name in BODIES:
            assert BODIES[row.name][0] in SPEC_PARAMETERS[row.name]


def test_everything_that_is_made_says_where_it_is() -> None:
    assert {row.name for row in OPERATIONS if row.status == 201} == {
        row.name for row in OPERATIONS if row.location
    }


def test_a_route_is_the_whole_path_below_a_host() -> None:
    routes = {row.name: row.route for row in OPERATIONS}
    assert routes["pool_info"] == "/{hypervisor}/{host}"
    assert routes["disk_info"] == "/{hypervisor}/{host}/guests/{guest_id}/disks/{disk_id}"
