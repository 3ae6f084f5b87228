"""Fields that not every hypervisor supports: data for cloud-init, firmware, and descriptions of imports."""

from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import NOT_IMPLEMENTED, ErrorResponse
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import drives
from simplestack.conformance.space import total_allocated
from simplestack.entities.guest import GuestImport

_CLOUD_INIT: dict[str, Any] = {
    "user_data": "#cloud-config\npassword: <&'\"\u00e9\n",
    "network_config": "version: 2\nethernets: {eth0: {dhcp4: true}}\n",
    "hostname": "kit.example.com",
    "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKit kit@example.com"],
}
_FIELDS = _CLOUD_INIT | {"firmware": "bios"}


@drives("guest_create", "guest_delete", "guest_list", "disk_list", "storage_list")
@pytest.mark.parametrize("field", _FIELDS)
def test_a_guest_is_created_with_an_optional_field_or_the_field_is_named_in_the_501(
    kit: Kit, client: Client, field: str
) -> None:
    before, space = client.do("guest_list"), total_allocated(client)
    body = kit.body(**{field: _FIELDS[field]})
    if not kit.supports("guest_create", field):
        _check_not_supported(client, "guest_create", field, body=body)
        assert client.do("guest_list") == before
        return
    made = client.do("guest_create", body=body)
    plain = kit.make(client)
    assert made["hdd"] == plain["hdd"], "the data for cloud-init is no disk of the guest"
    assert len(client.do("disk_list", made["id"])) == len(client.do("disk_list", plain["id"]))
    for guest in (made, plain):
        client.do("guest_delete", guest["id"])
    assert client.do("guest_list") == before
    assert round(total_allocated(client), 2) == round(space, 2), "the deleted guests left something behind"


@drives("guest_create", "media_info", "media_mount", "guest_start")
def test_a_guest_with_data_for_cloud_init_starts_and_its_cd_drive_is_empty(kit: Kit, client: Client) -> None:
    supported = {name: its for name, its in _CLOUD_INIT.items() if kit.supports("guest_create", name)}
    if not supported:
        pytest.skip(f"{kit.hypervisor} does not support data for cloud-init")
    guest = kit.make(client, **supported)
    assert client.do("media_info", guest["id"]) == {"name": None}
    kit.bring(client, guest["id"], "STARTED")
    assert client.do("media_info", guest["id"]) == {"name": None}


@drives("guest_clone", "guest_list", "disk_list")
@pytest.mark.parametrize("field", _CLOUD_INIT)
def test_a_guest_is_cloned_with_an_optional_field_or_the_field_is_named_in_the_501(
    kit: Kit, client: Client, guest: Any, field: str
) -> None:
    before = client.do("guest_list")
    body = {"name": kit.name(), field: _CLOUD_INIT[field]}
    if not kit.supports("guest_clone", field):
        _check_not_supported(client, "guest_clone", field, guest["id"], body=body)
        assert client.do("guest_list") == before
        return
    clone = client.do("guest_clone", guest["id"], body=body)
    assert clone == guest | {"id": clone["id"], "name": clone["name"]}
    assert len(client.do("disk_list", clone["id"])) == len(client.do("disk_list", guest["id"]))


@drives("guest_import", "guest_export", "guest_list", "network_interface_list")
@pytest.mark.parametrize("field", GuestImport.__struct_fields__)
def test_an_import_is_described_by_its_query_or_the_parameter_is_named_in_the_501(
    kit: Kit, client: Client, image_file: Path, field: str
) -> None:
    before = client.do("guest_list")
    values = {
        "name": kit.name(),
        "memory": kit.options.memory,
        "cpus": 2,
        "network": kit.networks,
        "firmware": "bios",
        "paravirtualized": False,
        "start": True,
    }
    description = {field: values[field]}
    if not kit.supports("guest_import", field):
        with pytest.raises(ErrorResponse) as rejected:
            client.load(image_file, description=description)
        _check_names_field(rejected.value, field)
        assert client.do("guest_list") == before
        return
    made = client.load(image_file, description=description)
    if field == "network":
        found = client.do("network_interface_list", made["id"])
        assert [interface["network"] for interface in found] == kit.networks
    elif field == "start":
        assert made["state"] == "STARTED"
    elif field != "firmware":  # a guest does not show it
        assert made[field] == values[field]


@drives("guest_import", "guest_export", "guest_list")
def test_an_import_whose_name_in_the_query_is_taken_is_rejected(
    kit: Kit, client: Client, guest: Any, image_file: Path
) -> None:
    if not kit.supports("guest_import", "name"):
        pytest.skip(f"{kit.hypervisor} does not support `name` of guest_import")
    before = client.do("guest_list")
    with pytest.raises(ErrorResponse) as rejected:
        client.load(image_file, description={"name": guest["name"]})
    assert rejected.value.name == "Conflict"
    assert client.do("guest_list") == before


def _check_not_supported(client: Client, operation: str, field: str, *ids: str, body: Any) -> None:
    with pytest.raises(ErrorResponse) as rejected:
        client.do(operation, *ids, body=body)
    _check_names_field(rejected.value, field)


def _check_names_field(error: ErrorResponse, field: str) -> None:
    assert error.name == NOT_IMPLEMENTED
    assert f"`{field}`" in error.message
    assert error.details["field"] == field
