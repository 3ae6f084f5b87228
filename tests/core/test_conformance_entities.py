"""What the conformance kit accepts as an entity."""

import pytest

from simplestack.conformance.entities import check_result
from simplestack.operations.table import OPERATIONS

ROWS = {row.name: row for row in OPERATIONS}
GUEST = {
    "id": "6d0720e8-6618-4ca0-b15c-7827c2ce8144",
    "name": "web",
    "cpus": 1,
    "memory": 1,
    "hdd": 0,
    "paravirtualized": None,
    "tools_up_to_date": None,
    "ip": None,
    "state": "STOPPED",
    "host": None,
}
DISK = {"id": "vda", "name": "root", "number": "0", "size": 1, "extra_info": None}
STORAGE = {"id": "1", "name": "local", "type": "dir", "used_space": 1, "allocated_space": 1, "size": 2}


@pytest.mark.parametrize(
    ("operation", "entity", "fields"),
    [
        ("guest_info", GUEST, ("cpus", "memory", "hdd")),
        ("disk_info", DISK, ("size",)),
        ("storage_info", STORAGE, ("used_space", "allocated_space", "size")),
    ],
)
def test_what_is_unknown_is_null_and_never_a_number_that_cannot_be(
    operation: str, entity: dict[str, object], fields: tuple[str, ...]
) -> None:
    check_result(ROWS[operation], entity)
    for field in fields:
        check_result(ROWS[operation], entity | {field: None})
        with pytest.raises(AssertionError, match=field):
            check_result(ROWS[operation], entity | {field: -1})


@pytest.mark.parametrize(
    ("operation", "entity", "field"), [("guest_info", GUEST, "memory"), ("disk_info", DISK, "size")]
)
def test_zero_is_not_accepted_for_what_every_guest_or_disk_has(
    operation: str, entity: dict[str, object], field: str
) -> None:
    with pytest.raises(AssertionError, match=field):
        check_result(ROWS[operation], entity | {field: 0})
