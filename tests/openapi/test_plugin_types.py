"""A third party's plugin in the document: its own members, whatever they are called."""

from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from support.distributions import install
from support.service import running_service

_NARROWED = """
class GuestUpdate(GuestUpdate, frozen=True, kw_only=True, forbid_unknown_fields=True):
    '''Changes to a guest of {name}.'''
    #: Percent of one CPU.
    {name}_share: int | None = None

class {name}Guest(Guest, frozen=True, kw_only=True):
    '''A guest of {name}.'''
    #: The rack.
    {name}_rack: str

@hookimpl
def guest_update(session, guest_id, changes: GuestUpdate) -> {name}Guest: ...

plugin = HypervisorPlugin(name="{name}", title="{name}", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The document of all hypervisors and those of two, which gave their bodies the same name."""
    folder = tmp_path_factory.mktemp("plugin_types")
    for name in ("north", "south"):
        install(folder / "plugins", name, _NARROWED.format(name=name))
    with running_service(folder / "service", plugins=folder / "plugins") as service:
        own = {name: service.get(f"/openapi.json?hypervisor={name}").json for name in ("north", "south")}
        return {"all": service.get("/openapi.json").json, **own}


def update_of(document: Any) -> Any:
    return document["paths"]["/{hypervisor}/{host}/guests/{guest_id}"]["put"]


def schema_at(document: Any, reference: str) -> Any:
    return document["components"]["schemas"][reference.rpartition("/")[2]]


def test_documents_with_bodies_of_the_same_name_are_valid(documents: dict[str, Any]) -> None:
    for document in documents.values():
        assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_an_operation_says_which_hypervisors_have_it(documents: dict[str, Any]) -> None:
    guest = documents["all"]["paths"]["/{hypervisor}/{host}/guests/{guest_id}"]
    having = {method: guest[method]["x-simplestack-hypervisors"] for method in ("get", "put")}
    assert {"north", "south"} & {*having["get"]["guest_info"]} == set()
    assert {"north", "south", "mock"} <= {*having["put"]["guest_update"]}


def test_the_document_of_one_hypervisor_has_its_own_members(documents: dict[str, Any]) -> None:
    update = update_of(documents["north"])
    body = schema_at(
        documents["north"], update["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    )
    assert body["properties"]["north_share"]["description"] == "Percent of one CPU."
    assert body["properties"]["memory"]["description"] == "Memory in MiB."
    whole, trimmed = update["responses"]["200"]["content"]["application/json"]["schema"]["anyOf"]
    assert (
        schema_at(documents["north"], whole["$ref"])["properties"]["north_rack"]["description"] == "The rack."
    )
    assert "north_rack" in schema_at(documents["north"], whole["$ref"])["required"]
    assert schema_at(documents["north"], trimmed["$ref"])["required"] == ["id"]


def test_the_document_of_all_has_the_bodies_of_each(documents: dict[str, Any]) -> None:
    bodies = update_of(documents["all"])["requestBody"]["content"]["application/json"]["schema"]["anyOf"]
    members = [set(schema_at(documents["all"], body["$ref"])["properties"]) for body in bodies]
    assert sum("north_share" in its for its in members) == 1
    assert sum("south_share" in its for its in members) == 1
    own = {"north_share", "south_share", "memory_target_live"}  # the last is xen's
    assert sum(own.isdisjoint(its) for its in members) == 1
