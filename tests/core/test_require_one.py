"""Names from clients: the only entity that has one, or an error that says which IDs to use."""

import pytest

from simplestack import Conflict, EntityNotFound, require_one


def network_of(*ids: str) -> str:
    return require_one(ids, "Network", "lan", id_of=lambda each: f"id-{each}")


def test_the_only_one_is_returned() -> None:
    assert network_of("1") == "1"


def test_none_is_not_found() -> None:
    with pytest.raises(EntityNotFound) as missing:
        network_of()
    assert (missing.value.entity, missing.value.entity_id) == ("Network", "lan")


def test_several_are_a_conflict_that_names_their_ids_once() -> None:
    with pytest.raises(Conflict) as several:
        network_of("2", "1", "2")
    assert several.value.message == "the name 'lan' is ambiguous: use one of these IDs: id-1, id-2"


def test_it_may_be_something_else_than_a_name() -> None:
    with pytest.raises(Conflict, match="the BIOS UUID '4' is ambiguous"):
        require_one(["a", "b"], "Guest", "4", id_of=str, what="BIOS UUID")
