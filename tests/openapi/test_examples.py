"""The examples in the document: those of the mock are what it answers, and every plugin's fit the schemas."""

from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator
from msgspec import UNSET

from simplestack.operations.table import OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from simplestack.server.openapi import openapi_document
from simplestack.server.openapi.examples import read_examples
from simplestack.server.openapi.kinds import body_kinds, result_kinds
from simplestack.server.openapi.links import parameters
from support.examples import Recorder, Surroundings, compare, tell
from support.service import Service

INSTALLED = {found.name: found for found in load_hypervisors(None)[0]}
ROWS = {row.name: row for row in OPERATIONS}
EXAMPLES = [(name, row) for name, found in INSTALLED.items() for row in read_examples(found)]


def test_the_mocks_examples_are_what_it_answers(service: Service) -> None:
    mock = INSTALLED["mock"]
    recorder = Recorder(service, "/mock/demo", frozenset(mock.operations))
    surroundings = Surroundings(
        create={
            "memory": 1024,
            "image": "debian-12.img",
            "disks": [{"size": 20, "storage": "Local storage"}],
            "network_interfaces": [{"network": "Pool network"}],
            "firmware": "bios",
            "user_data": "#cloud-config\npackages: [nginx]\n",
            "hostname": "web-1",
            "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample admin@example.com"],
        },
        storage="Local storage",
        network="Pool network",
        iso="debian-12-netinst.iso",
        clone={"hostname": "web-2"},
    )
    tell(recorder, surroundings, booted=lambda _guest: None)
    assert mock.plugin.examples is not None
    compare(recorder, mock.plugin.examples)


@pytest.mark.parametrize("name", INSTALLED)
def test_every_operation_of_every_hypervisor_has_an_example(name: str) -> None:
    missing = sorted(set(INSTALLED[name].operations) - read_examples(INSTALLED[name]).keys())
    assert not missing, f"add examples of {missing} to {INSTALLED[name].plugin.examples}"


@pytest.mark.parametrize(("name", "operation"), EXAMPLES)
def test_an_example_is_what_the_service_takes_and_answers(name: str, operation: str) -> None:
    hypervisor, row = INSTALLED[name], ROWS[operation]
    example = read_examples(hypervisor)[operation]
    assert set(example.parameters) == set(parameters(row.path))
    _check(example.request, body_kinds(row, [hypervisor]))
    _check(example.response, result_kinds(row, [hypervisor]))


def _check(value: Any, kinds: list[Any]) -> None:
    """Check that a value is of each type; of none where there is none."""
    assert (value is UNSET) == (not kinds)
    assert value != [], "an empty list is no example of a list"
    for kind in kinds:
        msgspec.convert(value, kind)


@pytest.mark.parametrize("name", INSTALLED)
def test_the_examples_in_the_document_fit_its_schemas(name: str) -> None:
    document = openapi_document([INSTALLED[name]])
    checked = 0
    for where, schema, value in _examples(document):
        errors = list(
            Draft202012Validator({**schema, "components": document["components"]}).iter_errors(value)
        )
        assert errors == [], where
        checked += 1
    assert checked > len(INSTALLED[name].operations)


def _examples(part: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    found: list[tuple[str, Any, Any]] = []
    if isinstance(part, dict):
        if "schema" in part and "examples" in part:
            found += [(where, part["schema"], example["value"]) for example in part["examples"].values()]
        for name, its in part.items():
            found += _examples(its, f"{where}/{name}")
    elif isinstance(part, list):
        for position, its in enumerate(part):
            found += _examples(its, f"{where}/{position}")
    return found
