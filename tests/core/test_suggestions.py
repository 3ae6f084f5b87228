import time

import pytest

from simplestack.suggestions import did_you_mean

NAMES = ("guest_info", "guest_list")


@pytest.mark.parametrize("word", ["guest_lsit", "gest_list", "guestlist"])
def test_the_closest_known_name_is_suggested(word: str) -> None:
    assert did_you_mean(word, NAMES) == "; did you mean 'guest_list'?"


@pytest.mark.parametrize("word", ["", "storage", "x"])
def test_nothing_is_suggested_where_no_name_is_close(word: str) -> None:
    assert did_you_mean(word, NAMES) == ""


def test_the_suggestion_is_quoted_as_the_message_quotes_names() -> None:
    assert did_you_mean("guest_lsit", NAMES, quote="`") == "; did you mean `guest_list`?"


def test_a_name_is_suggested_from_any_iterable_of_names() -> None:
    assert did_you_mean("guest_lsit", iter(NAMES)) == "; did you mean 'guest_list'?"


def test_a_long_word_costs_no_time() -> None:
    start = time.monotonic()
    assert did_you_mean("guest_list" * 1_000_000, NAMES) == ""
    assert time.monotonic() - start < 0.05
