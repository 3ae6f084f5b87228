"""Hookspecs, table, routes, document, kit, mock and README hold one another."""

from project.drift import missing_pieces, readme_operations
from simplestack.conformance.coverage import covered_operations
from simplestack.entities.guest import Guest
from simplestack.hookspecs import SPEC_PARAMETERS
from simplestack.operations.model import Operation
from simplestack.operations.table import HOOKS, OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from simplestack.server.openapi.examples import read_examples

NAMES = {operation.name for operation in OPERATIONS}


def test_nothing_is_missing_of_any_operation() -> None:
    assert missing_pieces(OPERATIONS) == []


def test_a_row_without_the_rest_is_told_everything_that_is_missing() -> None:
    row = Operation(name="guest_rename", method="PUT", path="/guests/{guest_id}/name", result=Guest)
    missing = missing_pieces([*OPERATIONS, row])
    assert {line.partition(": ")[0] for line in missing} == {"guest_rename"}
    for place in (
        "simplestack/hookspecs/",
        "simplestack/stack.py",
        "simplestack/mock/",
        "simplestack/conformance/",
        "simplestack/server/openapi/",
        "tests/support/examples.py",
        "README.md",
    ):
        assert [line for line in missing if place in line], f"nothing is said of {place}"


def test_a_row_at_another_path_than_the_documents_is_told_so() -> None:
    moved = Operation(name="guest_info", method="GET", path="/machines/{guest_id}", result=Guest)
    (line,) = missing_pieces([moved])
    assert line.startswith("guest_info: it is not in the OpenAPI document at its path")


def test_nothing_is_left_of_an_operation_that_is_gone() -> None:
    assert set(SPEC_PARAMETERS) <= set(HOOKS), "a hookspec that no operation calls: remove it, or add its row"
    assert set(covered_operations()) <= NAMES
    assert set(readme_operations()) <= NAMES, "the README names an operation that is not in the table"
    assert {name for found in load_hypervisors(None)[0] for name in read_examples(found)} == NAMES
