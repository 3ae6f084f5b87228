"""The query of an import describes the guest; old clients send none, and nothing changes for them."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.service import Service

BASE = "/mock/import-queries"
RAW = {"Content-Type": "application/octet-stream"}
IMAGE = b"QFI\xfb" + bytes(508)
NAME = "send a string without control characters (1 to 255 characters)"


@pytest.fixture
def storage(service: Service) -> str:
    found: str = service.get(f"{BASE}/storages").json[0]["id"]
    return found


@pytest.fixture(autouse=True)
def imports(service: Service) -> Iterator[None]:
    """Remove the guests that a test has imported."""
    before = {guest["id"] for guest in service.get(f"{BASE}/guests").json}
    yield
    for guest in service.get(f"{BASE}/guests").json:
        if guest["id"] not in before:
            service.put(f"{BASE}/guests/{guest['id']}/power", {"state": "force_stop"})
            assert service.delete(f"{BASE}/guests/{guest['id']}").status == 204


def load(service: Service, path: str) -> Any:
    return service.post(f"{BASE}{path}", IMAGE, headers=RAW)


@pytest.mark.parametrize("into_storage", [False, True])
def test_a_guest_has_what_the_query_says(service: Service, storage: str, into_storage: bool) -> None:
    path = f"/storages/{storage}/guests" if into_storage else "/guests"
    query = "name=web+1%C3%A9&memory=0512&cpus=2&network=Storage%20network&network=Pool%20network"
    made = load(service, f"{path}?{query}&firmware=uefi&paravirtualized=true&start=true&fields=id")
    assert made.status == 201, made
    assert [*made.json] == ["id"]
    guest = service.get(f"{BASE}/guests/{made.json['id']}").json
    found = [guest[name] for name in ("name", "memory", "cpus", "paravirtualized", "state")]
    assert found == ["web 1\xe9", 512, 2, True, "STARTED"]
    interfaces = service.get(f"{BASE}/guests/{guest['id']}/network_interfaces").json
    assert [interface["network"] for interface in interfaces] == ["Storage network", "Pool network"]
    again = load(service, f"{path}?{query}")
    assert (again.status, again.error) == (409, "Conflict")


def test_without_a_query_an_import_is_as_it_was(service: Service) -> None:
    made = load(service, "/guests").json
    assert made["name"].startswith("imported-")
    assert (made["memory"], made["state"]) == (1024, "STOPPED")


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("memory=abc", "`memory` is the string 'abc': send a whole number of MiB (1 to 67108864)"),
        ("memory=1.5", "`memory` is the string '1.5': send a whole number of MiB (1 to 67108864)"),
        ("memory=0", "`memory` is 0: send a whole number of MiB (1 to 67108864)"),
        ("memory=", "`memory` is an empty string: send a whole number of MiB (1 to 67108864)"),
        ("cpus=%D9%A1", "`cpus` is the string '\u0661': send a whole number (1 to 4096)"),
        ("start=1", "`start` is the string '1': send true or false"),
        ("paravirtualized=null", "`paravirtualized` is the string 'null': send true or false"),
        ("firmware=efi", "'efi' is not a firmware: use bios or uefi"),
        ("name=", f"`name` is an empty string: {NAME}"),
        ("name=a%0Ab", f"`name` is the string 'a\\nb': {NAME}"),
        ("network=a&network=", f"`network[1]` is an empty string: {NAME}"),
        ("name=a&name=b", "query parameter 'name' is given twice: give it once"),
        (
            "mamory=1",
            (
                "unknown query parameter 'mamory': guest_import accepts fields, name, memory, cpus, network, "
                "firmware, paravirtualized, start; did you mean 'memory'?"
            ),
        ),
    ],
)
def test_an_invalid_description_is_400_and_nothing_is_imported(
    service: Service, query: str, message: str
) -> None:
    before = service.get(f"{BASE}/guests").json
    answer = load(service, f"/guests?{query}")
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert answer.json["message"] == message
    assert service.get(f"{BASE}/guests").json == before


def test_a_network_of_the_query_that_is_not_there_is_404(service: Service) -> None:
    answer = load(service, "/guests?network=nowhere")
    assert answer.status == 404
    assert answer.json["message"].startswith("Network:nowhere not found: `network` takes the name or ID")


def test_a_description_is_unknown_where_a_guest_is_created(service: Service) -> None:
    answer = service.post(f"{BASE}/guests?memory=64", {"name": "never", "memory": 64})
    assert (answer.status, answer.error) == (400, "InvalidArguments")
    assert answer.json["message"] == "unknown query parameter 'memory': guest_create accepts fields"
