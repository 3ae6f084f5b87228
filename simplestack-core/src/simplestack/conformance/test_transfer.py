"""Exports and imports of images."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simplestack.conformance.client import Client
from simplestack.conformance.error_responses import ErrorResponse
from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.images import disk_digests
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import ROWS, drives
from simplestack.conformance.space import allocated_by_storage, roomiest_storage, total_allocated


@pytest.fixture
def bootable(kit: Kit, client: Client) -> Any:
    """Return a stopped guest with data on its first disk, a second disk and an interface."""
    networks = [{"network": name} for name in kit.networks[:1]]
    return kit.make_bootable(client, cpus=2, network_interfaces=networks)


@drives("guest_import", "guest_export", "guest_info", "guest_list", "disk_list")
def test_a_guest_that_never_ran_is_the_same_after_export_and_import(
    kit: Kit, client: Client, bootable: Any, tmp_path: Path
) -> None:
    _check_round_trip(kit, client, bootable, tmp_path)


@drives("guest_import", "guest_export", "guest_info", "disk_list", "guest_start", "guest_shutdown")
def test_a_guest_that_has_run_is_the_same_after_export_and_import(
    kit: Kit, client: Client, bootable: Any, tmp_path: Path
) -> None:
    kit.bring(client, bootable["id"], "STARTED")
    kit.patiently(lambda: client.do("power_guest", bootable["id"], body={"state": "stop"}))
    _check_round_trip(kit, client, client.do("guest_info", bootable["id"]), tmp_path)


@drives("guest_export", "guest_start", "guest_info")
def test_a_running_guest_is_exported_or_rejected_with_the_state_it_needs(
    kit: Kit, client: Client, guest: Any, tmp_path: Path
) -> None:
    kit.bring(client, guest["id"], "STARTED")
    result = client.outcome(lambda: client.export(guest["id"], tmp_path / "image"))
    if isinstance(result, ErrorResponse):
        assert result.name == "InvalidState"
        assert (result.details["current"], result.details["needed"]) == ("STARTED", "STOPPED")
    else:
        assert result > 0
    assert client.do("guest_info", guest["id"])["state"] == "STARTED"


@drives("guest_import", "guest_delete")
def test_an_import_is_sent_chunked_or_rejected_with_what_it_needs(client: Client, image_file: Path) -> None:
    result = client.outcome(lambda: client.load(image_file, chunked=True))
    if isinstance(result, ErrorResponse):
        assert result.name == "LengthRequired"
    else:
        assert result["state"] == "STOPPED"


@drives("storage_guest_import", "storage_list")
def test_an_import_into_a_storage_takes_its_space_there(client: Client, image_file: Path) -> None:
    roomiest = roomiest_storage(client)
    for word in (roomiest["id"], roomiest["name"]):
        before = allocated_by_storage(client)
        made = client.load(image_file, word)
        after = allocated_by_storage(client)
        grown = {name: after[name] - before[name] for name in after if after[name] - before[name] > 0.01}
        assert grown == {roomiest["id"]: pytest.approx(made["hdd"], abs=0.25)}


@drives("storage_guest_import", "guest_list")
def test_an_import_into_a_storage_that_is_not_there_is_rejected(
    kit: Kit, client: Client, image_file: Path
) -> None:
    before = len(client.do("guest_list"))
    with pytest.raises(ErrorResponse) as rejected:
        client.load(image_file, kit.name())
    assert rejected.value.name == "EntityNotFound"
    assert rejected.value.message.startswith("Storage:")
    assert len(client.do("guest_list")) == before


@drives("guest_import", "guest_export", "guest_list", "storage_list")
@pytest.mark.parametrize("share", [0.5, 0.99], ids=["half", "almost all"])
def test_an_image_that_is_cut_short_leaves_nothing_behind(
    client: Client, guest: Any, tmp_path: Path, share: float
) -> None:
    file = tmp_path / "image"
    size = client.export(guest["id"], file)
    with file.open("r+b") as image:
        image.truncate(int(size * share))
    before = _everything(client)
    with pytest.raises(ErrorResponse) as rejected:
        client.load(file)
    assert rejected.value.name == "InvalidArguments"
    assert _everything(client) == before


@drives("guest_import", "guest_list", "storage_list")
def test_a_client_that_goes_away_in_an_import_leaves_nothing_behind(
    http: HttpClient, image_file: Path
) -> None:
    before = _everything(http)
    size = image_file.stat().st_size
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    response = http.send_and_go_away(http.below(ROWS["guest_import"], {}), _half(image_file), headers)
    assert response in (b"", b"HTTP/1.1 400"), "an import of half a body"
    assert _everything(http) == before
    assert http.busy_sessions() == 0


@drives("guest_import", "guest_export", "guest_info")
def test_old_clients_label_an_image_as_json(http: HttpClient, image_file: Path) -> None:
    label = {"Content-Type": "application/json"}
    response = http.send("POST", f"{http.base}/guests", image_file.read_bytes(), label)
    assert response.status == 201, response
    http.do("guest_delete", response.json["id"])


@drives("guest_export")
def test_the_export_of_a_guest_that_is_not_there_is_rejected_before_its_first_byte(
    client: Client, tmp_path: Path
) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(ErrorResponse) as rejected:
        client.export(unknown, tmp_path / "image")
    assert (rejected.value.name, rejected.value.message) == ("EntityNotFound", f"Guest:{unknown} not found")


def _check_round_trip(kit: Kit, client: Client, guest: Any, folder: Path) -> None:
    first, second = folder / "first", folder / "second"
    assert client.export(guest["id"], first) > 0
    disks = client.do("disk_list", guest["id"])
    interfaces = client.do("network_interface_list", guest["id"]) if kit.has("network_interface_list") else []
    client.do("guest_delete", guest["id"])

    made = client.load(first)
    assert made["state"] == "STOPPED"
    for field in ("cpus", "memory", "hdd", "paravirtualized"):
        assert made[field] == guest[field], field
    assert client.do("guest_info", made["id"]) == made
    assert made in client.do("guest_list")
    assert [disk["size"] for disk in client.do("disk_list", made["id"])] == [disk["size"] for disk in disks]
    if interfaces:
        again = client.do("network_interface_list", made["id"])
        assert [item["network"] for item in again] == [item["network"] for item in interfaces]
    client.export(made["id"], second)
    assert disk_digests(second) == disk_digests(first)


def _everything(client: Client) -> tuple[list[str], float]:
    guests = sorted(guest["id"] for guest in client.do("guest_list"))
    return guests, round(total_allocated(client), 1)


def _half(file: Path) -> Iterator[bytes]:
    with file.open("rb") as stream:
        yield stream.read(file.stat().st_size // 2)
