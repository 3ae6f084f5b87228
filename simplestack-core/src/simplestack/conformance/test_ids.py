"""Unknown IDs of any form are not found."""

import re

import pytest

from simplestack.conformance.http_client import HttpClient
from simplestack.conformance.kit import Kit
from simplestack.conformance.marks import ROWS, drives
from simplestack.operations.model import Operation

_WITH_IDS = [row for row in ROWS.values() if "{" in row.path and row.body is None]
_UNKNOWN = "00000000-0000-4000-8000-000000000000"


def _names(row: Operation) -> list[str]:
    return re.findall(r"{(\w+)}", row.path)


@pytest.mark.parametrize("operation", [pytest.param(row.name, marks=drives(row.name)) for row in _WITH_IDS])
@pytest.mark.parametrize("identity", [".", "..", "../..", "/", ""], ids=repr)
def test_a_plugin_finds_nothing_by_an_id_that_is_a_way_through_folders(
    kit: Kit, operation: str, identity: str
) -> None:
    # Core rejects most of these before a hook sees them; scripts with a Stack do not go that way.
    kit.stack.rejected("EntityNotFound", operation, *(identity for _ in _names(ROWS[operation])))


@pytest.mark.parametrize("operation", [pytest.param(row.name, marks=drives(row.name)) for row in _WITH_IDS])
@pytest.mark.parametrize("segment", ["%2e", "%2E%2e"])
def test_a_segment_that_clients_resolve_is_400(http: HttpClient, operation: str, segment: str) -> None:
    row = ROWS[operation]
    for name in _names(row):
        path = row.path.format_map({**dict.fromkeys(_names(row), _UNKNOWN), name: segment})
        response = http.send(row.method, http.base + path)
        assert (response.status, response.error(operation).name) == (400, "InvalidArguments")
