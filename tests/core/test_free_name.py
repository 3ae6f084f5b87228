"""Names of imported guests, if others have them."""

import pytest

from simplestack import free_name


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((), "web"),
        (("web",), "web (2)"),
        (("web", "web (2)", "web (3)"), "web (4)"),
        (("web (2)",), "web"),
    ],
)
def test_the_first_free_name_is_taken(taken: tuple[str, ...], expected: str) -> None:
    assert free_name("web", taken.__contains__) == expected


def test_a_long_name_is_cut_for_its_number() -> None:
    long = "x" * 255
    assert free_name(long, {long}.__contains__) == "x" * 251 + " (2)"
    many = {long, *(f"{'x' * 251} ({number})" for number in range(2, 10))}
    assert free_name(long, many.__contains__) == "x" * 250 + " (10)"


@pytest.mark.parametrize(("max_bytes", "expected"), [(10, "äää (2)"), (11, "äää (2)"), (12, "ääää (2)")])
def test_a_name_is_cut_between_characters(max_bytes: int, expected: str) -> None:
    name = "ä" * 6
    assert free_name(name, {name}.__contains__, max_bytes=max_bytes) == expected


def test_a_hypervisor_may_have_shorter_names() -> None:
    assert free_name("x" * 80, {"x" * 80}.__contains__, max_characters=80) == "x" * 76 + " (2)"
