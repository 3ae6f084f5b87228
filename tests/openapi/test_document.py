"""The OpenAPI document: what it says, and how it is got."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from simplestack import GuestCreate
from simplestack.identity.tokens import new_token, token_hash
from simplestack.operations.optional_fields import OPTIONAL_FIELDS
from simplestack.operations.table import OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from simplestack.plugins.hypervisor import Hypervisor
from simplestack.server.openapi import openapi_document
from support.service import Service, running_service


@pytest.fixture(scope="module")
def hypervisors() -> dict[str, Hypervisor]:
    return {found.name: found for found in load_hypervisors(None)[0]}


@pytest.fixture(scope="module")
def document(service: Service) -> Any:
    return service.get("/openapi.json", headers={"X-Simplestack-Hypervisor-Token": None}).json


_POWER = "/{hypervisor}/{host}/guests/{guest_id}/power"


def operations_of(document: Any) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for item in document["paths"].values()
        for operation in item.values()
    }


def rows_of(document: Any) -> set[str]:
    return {
        row
        for operation in operations_of(document).values()
        for row in operation.get("x-simplestack-operations", [])
    }


def test_the_document_of_all_hypervisors_is_valid_openapi(document: Any) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"].startswith("3.1.")


@pytest.mark.parametrize("name", ["kvm", "mock", "vmware", "xen"])
def test_the_document_of_one_hypervisor_is_valid_and_has_its_operations_alone(
    hypervisors: dict[str, Hypervisor], name: str
) -> None:
    document = openapi_document([hypervisors[name]])
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert rows_of(document) == set(hypervisors[name].operations)


def test_every_row_of_the_table_is_at_its_path_with_its_method_and_status(document: Any) -> None:
    assert rows_of(document) == {row.name for row in OPERATIONS}
    for row in OPERATIONS:
        operation = document["paths"]["/{hypervisor}/{host}" + row.path.rstrip("/")][row.method.lower()]
        assert row.name in operation["x-simplestack-operations"]
        assert str(row.status) in operation["responses"]


def test_optional_fields_say_who_supports_them_and_are_left_out_where_nobody_does(
    hypervisors: dict[str, Hypervisor], document: Any
) -> None:
    def names(document: Any) -> tuple[set[str], set[str]]:
        create = operations_of(document)["guest_create"]
        query = {its["name"] for its in create["parameters"] if its.get("in") == "query"}
        return set(document["components"]["schemas"]["GuestCreate"]["properties"]), query

    creating = {name: its for name, its in hypervisors.items() if its.implements("guest_create")}
    for kind in {its.bodies.get("guest_create", GuestCreate) for its in creating.values()}:
        having = [its for its in creating.values() if its.bodies.get("guest_create", GuestCreate) is kind]
        supporting = {its.name for its in having if "user_data" in its.optional_fields["guest_create"]}
        user_data = document["components"]["schemas"][kind.__name__]["properties"]["user_data"]
        assert set(user_data["x-simplestack-hypervisors"]) == supporting
        assert ("Supported by: `" in user_data["description"]) == (len(supporting) < len(having))
    described = {"name", "memory", "cpus", "network", "firmware", "paravirtualized", "start"}
    properties, query = names(openapi_document([hypervisors["mock"]]))
    assert properties >= {"user_data", "network_config", "hostname", "ssh_keys", "firmware"}
    assert query == described | {"fields"}
    unable = replace(hypervisors["mock"], optional_fields=dict.fromkeys(OPTIONAL_FIELDS, frozenset()))
    properties, query = names(openapi_document([unable]))
    assert properties.isdisjoint({"user_data", "network_config", "hostname", "ssh_keys", "firmware"})
    assert query == {"fields"}


def test_fields_and_parameters_are_explained_with_their_units(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Guest"]["properties"]["memory"]["description"].startswith("Memory in MiB; null if")
    assert schemas["GuestUpdate"]["properties"]["hdd"]["description"].startswith(
        "New sum of the disks in GiB"
    )
    unexplained = [
        parameter["name"]
        for operation in operations_of(document).values()
        for parameter in operation["parameters"]
        if "$ref" not in parameter and not parameter["description"]
    ]
    assert unexplained == []


def test_texts_are_written_for_clients(hypervisors: dict[str, Hypervisor]) -> None:
    def texts(value: Any) -> Iterator[str]:
        if isinstance(value, list):
            for item in value:
                yield from texts(item)
        elif isinstance(value, dict):
            for key, item in value.items():
                if key in {"summary", "description"} and isinstance(item, str):
                    yield item
                elif key != "examples":
                    yield from texts(item)

    written = list(texts(openapi_document([*hypervisors.values()])))
    assert len(written) > 100
    internal = re.compile(r"\b(hooks?|wire|members?|answers?|refuse[sd]?|subclass|struct|Plugins:|root of)\b")
    assert [text for text in written if internal.search(text)] == []
    assert [text for text in written if ".;" in text or "\n\n\n" in text] == []
    power = openapi_document([hypervisors["mock"]])["paths"][_POWER]["put"]["description"]
    assert power.startswith("Start a stopped guest"), "clients do not know the names of hooks"


def test_the_description_tells_clients_how_to_call_this_service(hypervisors: dict[str, Hypervisor]) -> None:
    def description(*names: str, asks_for_service_token: bool = False) -> str:
        chosen = [hypervisors[name] for name in names]
        document = openapi_document(chosen, asks_for_service_token=asks_for_service_token)
        text: str = document["info"]["description"]
        return text

    mock = description("kvm", "mock")
    titles = ["Authentication", "Requests and responses", "Errors", "Long calls"]
    assert re.findall(r"^## (.+)$", mock, re.MULTILINE) == titles
    assert "printf '%s' 'demo:demo' | base64 -w0" in mock
    assert '"$SERVICE/mock/demo/guests"' in mock
    assert "accepts any user name" in mock
    assert "Bearer" not in mock
    assert "Authorization: Bearer TOKEN" in description("mock", asks_for_service_token=True)
    real = description("kvm")
    assert '"$SERVICE/kvm/10.0.0.1/guests"' in real
    assert "mock" not in real
    assert "is 60 minutes, that of other operations 50 seconds" in " ".join(real.split())


def test_the_description_explains_every_status_of_an_error(document: Any) -> None:
    text = document["info"]["description"]
    rows = re.findall(r"^\| ([0-9, ]+) \|", text, re.MULTILINE)
    explained = [status for row in rows for status in row.split(", ")]
    possible = {
        status
        for operation in operations_of(document).values()
        for status in operation["responses"]
        if status >= "400"
    }
    assert sorted(explained) == sorted(possible)


def test_tools_choose_the_mock_first_where_it_is_installed(hypervisors: dict[str, Hypervisor]) -> None:
    for names, first in ((["kvm", "mock"], "mock"), (["kvm", "xen"], "kvm"), ([], None)):
        document = openapi_document([hypervisors[name] for name in names])
        assert document["components"]["parameters"]["hypervisor"].get("example") == first
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_schemas_have_nothing_that_generators_of_clients_cannot_use(
    hypervisors: dict[str, Hypervisor],
) -> None:
    """Rules at the root of an object, defaults (such a field becomes required), empty names."""
    for chosen in ([hypervisors["mock"]], [*hypervisors.values()]):
        schemas = openapi_document(chosen)["components"]["schemas"]
        rules = {"allOf", "anyOf", "oneOf", "not", "if", "dependentRequired"}
        assert [name for name, its in schemas.items() if rules & its.keys()] == []
        fields = {
            f"{name}.{field}": schema
            for name, its in schemas.items()
            for field, schema in its.get("properties", {}).items()
        }
        assert [name for name, schema in fields.items() if "default" in schema] == []
        assert [name for name, its in schemas.items() if "" in its.get("enum", ())] == []
    assert fields["GuestCreate.start"]["description"].endswith("Default: `false`.")


def test_names_and_ids_that_become_segments_of_paths_are_never_dots(document: Any) -> None:
    schemas = document["components"]["schemas"]
    for schema in (schemas["Id"], schemas["TagCreate"]["properties"]["name"]):
        allowed = re.compile(schema["pattern"])
        assert [name for name in (".", "..", "a\nb", "...", ".a", "a..", "a/b") if allowed.search(name)] == [
            "...",
            ".a",
            "a..",
            "a/b",
        ]


def test_every_response_to_an_unknown_query_parameter_is_documented(document: Any) -> None:
    without = [name for name, its in operations_of(document).items() if "400" not in its["responses"]]
    assert without == []
    (fields,) = [
        parameter
        for parameter in operations_of(document)["host_list"]["parameters"]
        if parameter.get("name") == "fields"
    ]
    names = {"$ref": "#/components/schemas/HostField"}
    assert fields["schema"] == {"type": "array", "items": names, "minItems": 1}
    assert document["components"]["schemas"]["HostField"]["enum"] == ["address", "id", "name"]


def test_summaries_are_plain_sentences_and_descriptions_markdown(document: Any) -> None:
    operations = operations_of(document)
    create = operations["guest_create"]
    assert create["summary"] == (
        "Create a guest from a template, from an image, or with empty disks. "
        "Create a guest from an image in the format that guest_export writes."
    )
    assert "`start` starts it at once." in create["description"]
    assert "`guest_import`: Create a guest from an image" in create["description"]
    update = operations["guest_update"]
    assert update["summary"] == "Change a guest."
    assert update["description"].startswith("Fields that the request omits keep their values.\n\nAs much")
    rows = {name: len(its.get("x-simplestack-operations", [name])) for name, its in operations.items()}
    assert {name: its["summary"].count(".") for name, its in operations.items()} == rows
    assert not [name for name, its in operations.items() if "`" in its["summary"]]


def test_errors_are_those_that_the_hookspecs_raise(document: Any) -> None:
    def names(operation: str, status: str) -> list[str]:
        reference = operations_of(document)[operation]["responses"][status]["$ref"]
        response = document["components"]["responses"][reference.rpartition("/")[2]]
        assert response["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
        found: list[str] = response["x-simplestack-errors"]
        return found

    assert names("guest_delete", "409") == ["Busy", "InvalidState"]
    assert names("guest_info", "404") == ["EntityNotFound", "HypervisorNotFound"]
    assert names("host_list", "404") == ["HypervisorNotFound"]
    assert {names(name, "415")[0] for name in rows_of(document) & set(operations_of(document))} == {
        "UnsupportedMediaType"
    }
    assert names("disk_create", "507") == ["InsufficientStorage"]
    assert "507" not in operations_of(document)["disk_list"]["responses"]
    assert "409" not in operations_of(document)["disk_list"]["responses"]


def test_what_a_create_makes_is_linked_to_what_can_be_done_with_it(document: Any) -> None:
    links = operations_of(document)["disk_create"]["responses"]["201"]["links"]
    assert set(links) == {"disk_info", "disk_update", "disk_delete"}
    assert links["disk_info"]["parameters"] == {
        "hypervisor": "$request.path.hypervisor",
        "host": "$request.path.host",
        "guest_id": "$request.path.guest_id",
        "disk_id": "$response.body#/id",
    }
    listed = operations_of(document)["guest_list"]["responses"]["200"]["links"]
    assert listed["guest_info"]["parameters"]["guest_id"] == "$response.body#/0/id"


def test_every_link_leads_to_an_operation_of_the_same_document(hypervisors: dict[str, Hypervisor]) -> None:
    for chosen in ([hypervisors["kvm"]], [hypervisors["mock"]], list(hypervisors.values())):
        operations = operations_of(openapi_document(chosen))
        targets = {
            link["operationId"]
            for operation in operations.values()
            for response in operation["responses"].values()
            for link in response.get("links", {}).values()
        }
        assert targets
        assert targets <= set(operations)


def test_a_client_that_has_the_document_is_not_sent_it_again(service: Service) -> None:
    first = service.get("/openapi.json")
    again = service.get("/openapi.json", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    assert service.get("/openapi.json", headers={"If-None-Match": '"other"'}).status == 200
    head = service.request("HEAD", "/openapi.json")
    assert (head.status, head.headers["etag"], head.body) == (200, first.headers["etag"], b"")


def test_the_document_of_one_hypervisor_is_got_by_name_or_alias(service: Service) -> None:
    own = service.get("/openapi.json?hypervisor=kvm").json
    assert own == service.get("/openapi.json?hypervisor=qemu").json
    assert own["components"]["schemas"]["Hypervisor"]["enum"] == ["kvm", "qemu"]
    unknown = service.get("/openapi.json?hypervisor=hyperv")
    assert (unknown.status, unknown.error) == (404, "HypervisorNotFound")


def test_the_command_prints_what_the_service_answers(service: Service, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    command = [sys.executable, "-m", "simplestack", "openapi"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    subprocess.run([*command, "--output", str(file)], check=True)
    assert json.loads(printed) == service.get("/openapi.json").json
    assert file.read_text() == printed
    refused = subprocess.run(
        [*command, "--hypervisor", "hyperv"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "no hypervisor 'hyperv' here" in refused.stderr


def test_a_service_with_tokens_asks_for_one_and_its_document_says_so(tmp_path: Path) -> None:
    made = new_token()
    with running_service(tmp_path, f"[server.tokens]\nclient = '{token_hash(made)}'") as service:
        refused = service.get("/openapi.json")
        document = service.get("/openapi.json", headers={"Authorization": f"Bearer {made}"}).json
    assert (refused.status, refused.error) == (401, "Unauthorized")
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["security"][0] == {"hypervisor_token": [], "service_token": []}
    assert document["paths"]["/"]["get"]["security"][0] == {"service_token": []}
    assert document["paths"]["/healthz"]["get"]["security"] == []


def test_behind_a_prefix_the_document_names_it(tmp_path: Path) -> None:
    with running_service(tmp_path, prefix="/cloud") as service:
        assert service.get("/cloud/openapi.json").json["servers"] == [{"url": "/cloud"}]
