"""A flood of rejected requests does not fill the log, and the log says so."""

import logging
from pathlib import Path

import pytest

from simplestack.server.rejections import ALL_CLIENTS, PERIOD_SECONDS, Rejections
from support.service import running_service

MAX_LINES = 30


class Clock:
    """A clock that the test sets."""

    seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def reject(rejections: Rejections, count: int, client: str = "192.0.2.7", status: int = 404) -> None:
    for number in range(count):
        rejections.log(f"r-{number}", ": GET /x", status, "RouteNotFound", message="no path", client=client)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rejections(clock: Clock, caplog: pytest.LogCaptureFixture) -> Rejections:
    caplog.set_level(logging.DEBUG)
    return Rejections(MAX_LINES, clock)


def test_a_client_gets_a_limited_number_of_lines_and_the_last_one_says_so(
    rejections: Rejections, caplog: pytest.LogCaptureFixture
) -> None:
    reject(rejections, 10 * MAX_LINES)
    assert len(caplog.messages) == MAX_LINES
    assert [("only counted" in line) for line in caplog.messages] == [False] * (MAX_LINES - 1) + [True]


def test_another_client_keeps_its_lines(rejections: Rejections, caplog: pytest.LogCaptureFixture) -> None:
    reject(rejections, 10 * MAX_LINES)
    reject(rejections, 1, client="192.0.2.8")
    assert "client 192.0.2.8" in caplog.messages[-1]


def test_the_next_period_begins_with_the_number_of_requests_that_were_not_logged(
    rejections: Rejections, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(8):
        reject(rejections, MAX_LINES + 1 + number, client=f"192.0.2.{number}")
    clock.seconds = PERIOD_SECONDS
    caplog.clear()
    reject(rejections, 1)
    assert caplog.messages == [
        (
            "36 rejected requests were not logged, from 192.0.2.7 (8), 192.0.2.6 (7), 192.0.2.5 (6), "
            "192.0.2.4 (5), 192.0.2.3 (4) and 3 more"
        ),
        "request r-0 rejected: GET /x 404 RouteNotFound, client 192.0.2.7: no path",
    ]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_period_without_a_flood_has_no_such_line(
    rejections: Rejections, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    reject(rejections, MAX_LINES)
    clock.seconds = PERIOD_SECONDS
    caplog.clear()
    reject(rejections, 1)
    assert len(caplog.messages) == 1


def test_a_flood_from_many_addresses_is_limited_and_counted_too(
    rejections: Rejections, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3000):
        reject(rejections, 1, client=f"2001:db8::{number:x}")
    assert len(caplog.messages) == ALL_CLIENTS * MAX_LINES
    clock.seconds = PERIOD_SECONDS
    reject(rejections, 1)
    assert caplog.messages[-2].startswith("2700 rejected requests were not logged, from others (2000), 2001:")


def test_the_limit_is_a_setting(tmp_path: Path) -> None:
    environment = {"SIMPLESTACK_SERVER__MAX_REJECTION_LINES_PER_MINUTE": "2"}
    with running_service(tmp_path, "[server]\nworkers = 1\n", environment=environment) as service:
        for _ in range(5):
            service.get("/nowhere/h")
        assert service.log.count("404 HypervisorNotFound") == 2


@pytest.mark.parametrize(
    ("status", "level"),
    [
        (400, "INFO"),
        (401, "WARNING"),
        (403, "INFO"),
        (404, "INFO"),
        (500, "ERROR"),
        (501, "INFO"),
        (503, "WARNING"),
    ],
)
def test_the_level_follows_the_status(
    rejections: Rejections, caplog: pytest.LogCaptureFixture, status: int, level: str
) -> None:
    reject(rejections, 1, status=status)
    assert caplog.records[0].levelname == level
