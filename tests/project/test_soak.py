"""The soak test: it runs, and it finds what it is there to find."""

import asyncio
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from msgspec import json

from benchmarks.soak import requests, schedule
from benchmarks.soak.findings import Findings
from benchmarks.soak.http_client import Client, Response, Unanswered
from benchmarks.soak.report import Report, missed
from benchmarks.soak.requests import Request
from benchmarks.soak.run import stop
from benchmarks.soak.samples import Phase, Sample
from benchmarks.soak.summary import by_phase, comparisons
from benchmarks.soak.traffic import Clock, Target
from benchmarks.soak.watching import workers_of
from project.repository import ROOT
from support.service import Service

GUEST = {"id": "1", "name": "soak-1", "state": "STOPPED"}


def run(folder: Path, *arguments: str) -> Report:
    """Run it for a moment, and return its report. Whether it reaches its bars is up to the machine."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT / "tests")},
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    (path,) = folder.glob(".benchmarks/*/report.json")
    report = json.decode(path.read_bytes(), type=Report)
    missing = missed(report)
    assert done.returncode == (1 if missing else 0)
    assert [line for line in done.stderr.splitlines() if line.startswith("missed: ")] == [
        f"missed: {what}" for what in missing
    ]
    return report


def test_a_short_run_goes_through_every_fault_and_reports_each_part(tmp_path: Path) -> None:
    report = run(tmp_path, "--minutes", "0.05")
    assert [span.name for span in report.phases] == list(
        dict.fromkeys(phase.name for phase in schedule.soak(3))
    )
    assert report.wrong == []
    assert all({"200", "201"} <= statuses.keys() for statuses in report.statuses.values())
    assert any(status.startswith("503") for status in report.statuses["faulty pool"])
    assert report.killed_workers
    assert sum(report.slow_clients.values()) >= 200
    assert {process.role for process in report.looks[0].processes} == {"arbiter", "worker"}
    assert {left.pool for left in report.pools_left} == {"calm pool", "faulty pool"}
    assert [left.problem for left in report.guests_left] == ["", "", ""]
    assert report.ending is not None
    assert not report.ending.had_died
    text = (tmp_path / ".benchmarks/soak/report.txt").read_text()
    assert text.count("\n## ") == 10
    for what in [found.what for found in report.record.comparisons] + [bar.what for bar in report.bars]:
        assert f"| {what} " in text


def test_a_scenario_shows_one_fault_beside_a_quiet_phase(tmp_path: Path) -> None:
    report = run(tmp_path, "--scenario", "hanging-plugin", "--minutes", "0.015")
    assert [span.name for span in report.phases] == [
        "warm-up",
        "quiet",
        "hanging-plugin",
        "after hanging-plugin",
    ]
    assert sum(report.hanging_plugin.values()) == 60
    assert {found.what for found in report.record.comparisons} == {
        f"hanging-plugin: {name}, {figure}" for name in ("mock", "calm pool") for figure in ("p99", "rate")
    }


@pytest.mark.parametrize("minutes", [0.1, 3, 20])
def test_a_plan_takes_as_long_as_was_asked_for_with_every_fault_in_it(minutes: float) -> None:
    plan = schedule.soak(60 * minutes)
    names = [phase.name for phase in plan]
    assert sum(phase.seconds for phase in plan if phase.name != "warm-up") == pytest.approx(60 * minutes)
    assert {"stopped-pool", "killed-pool", "killed-workers", "reload", "slow-clients"} <= set(names)


def test_in_twenty_minutes_a_pool_is_stopped_for_15_s_and_workers_live_for_the_second_half() -> None:
    plan = schedule.soak(20 * 60)
    assert {phase.seconds for phase in plan if phase.name == "stopped-pool"} == {15}
    second_half = [phase.name for phase in plan if phase.round > 3]
    assert "stopped-pool" in second_half
    assert not {"killed-workers", "reload"} & set(second_half)


@pytest.mark.parametrize(
    ("request_", "status", "body", "wrong"),
    [
        (requests.guest_info("1"), 200, GUEST, ""),
        (requests.guest_info("1"), 404, {"error": "E", "message": "m", "request_id": "r"}, ""),
        (requests.guest_info("1"), 404, "<html>", "not an error"),
        (requests.guest_info("2"), 200, GUEST, "not a guest with {'id': '2'}"),
        (requests.guest_info("1"), 201, GUEST, "status 201 instead of 200"),
        (requests.guest_info("1", state="STARTED"), 200, GUEST, "STARTED was confirmed before"),
        (requests.guest_info("1", missing="it was created"), 404, None, "it was created"),
        (requests.guest_gone("1"), 200, GUEST, "still exists"),
        (requests.guest_list(["1", "2"]), 200, [GUEST], "are missing: ['2']"),
        (requests.guest_list([]), 200, [GUEST | {"cpus": 1}], "not the fields"),
        (requests.pool_info(), 200, {"id": "1"}, "not a pool"),
        (requests.disk_list("1"), 200, [], "not a list of disks"),
        (requests.guest_create("other"), 201, GUEST, "not a guest with {'name': 'other'}"),
        (requests.power("1", "start"), 200, {"action": "stop", "message": "ok"}, "not {'action': 'start'"),
        (requests.tag_create("1", "a", missing=""), 201, ["b"], "no list with 'a'"),
        (requests.snapshot_create("1", "a", missing=""), 201, {"id": "1", "name": "b"}, "not a snapshot"),
        (requests.guest_delete("1"), 204, {}, "a body with 204"),
    ],
)
def test_a_response_that_is_not_what_it_must_be_is_wrong(
    request_: Request, status: int, body: Any, wrong: str
) -> None:
    found = request_.wrong(Response(status, {}, json.encode(body)), state_is_known=True)
    assert wrong in found
    assert bool(found) == bool(wrong)


def test_a_restart_of_the_hypervisor_excuses_what_is_missing() -> None:
    gone = Response(404, {}, b"")
    assert requests.guest_info("1", missing="it was created").wrong(gone, state_is_known=False) == ""


@pytest.mark.parametrize(
    ("sent", "then", "reason"),
    [
        (b"", "close", "connection closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "close", "connection closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "reset", "connection reset"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "wait", "time-out"),
        (b"HTTP/1.1 OK\r\n\r\n", "wait", "malformed response"),
        (b"HTTP/1.1 200 OK\r\n\r\nno length", "wait", "malformed response"),
    ],
)
def test_a_request_without_a_complete_response_is_unanswered_for_a_reason(
    sent: bytes, then: str, reason: str
) -> None:
    def serve(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(sent)
            if then == "reset":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if then == "wait":
                connection.recv(1)

    async def ask(address: tuple[str, int]) -> None:
        await Client(address, {}, timeout_seconds=0.5).send("GET", "/")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        with pytest.raises(Unanswered) as raised:
            asyncio.run(ask(server.getsockname()))
        thread.join()
    assert str(raised.value) == reason


def test_a_request_without_a_response_counts_as_one_that_waited_for_its_time_out() -> None:
    phases = [Phase("quiet", 1, 0, 10), Phase("stopped-pool", 1, 10, 20)]
    findings = Findings(("mock", "calm pool"), timeout_seconds=20, phases=phases)
    for number, phase in enumerate(phases):
        for due in range(10):
            for target in findings.targets:
                wait_ms = 1 if number == 0 else 5000
                findings.samples.append(
                    Sample(phase.begin_seconds + due, target, "guest_info", number, wait_ms, 200, True)
                )
    lost = Sample(12, "mock", "guest_info", 1, 3, None, False, "connection reset")
    findings.samples.append(lost)
    quiet, stopped = by_phase(findings)
    assert quiet.targets["mock"].p99 == 1
    assert (stopped.targets["mock"].p50, stopped.targets["mock"].p99) == (5000, 20_000)
    assert stopped.targets["mock"].unanswered == {"connection reset": 1}
    # Of ten successes half came when the phase was over.
    assert (quiet.targets["mock"].rate, stopped.targets["mock"].rate) == (1, 0.5)
    reached = {found.what: found.reaches_goal for found in comparisons(findings, "soak")}
    assert reached == {
        "stopped-pool: mock, p99": False,
        "stopped-pool: mock, rate": None,
        "stopped-pool: calm pool, p99": None,
        "stopped-pool: calm pool, rate": False,
    }


def test_the_latency_of_a_request_begins_when_it_is_due() -> None:
    clock, count = Clock(), 0

    class Stalling(Client):
        async def send(self, *_: Any, **_options: Any) -> Response:
            nonlocal count
            count += 1
            clock.is_over = count == 3
            if count == 1:
                time.sleep(0.3)  # noqa: ASYNC251  the generator itself stalls
            return Response(200, {}, b"null")

    client = Stalling(("127.0.0.1", 1), {}, timeout_seconds=1)
    target = Target("mock", "/mock/h", client, seed="1", rate=100, max_in_flight=10)
    target.seeded = ["1"]
    asyncio.run(target.run(clock))
    late = [sample.latency_ms for sample in target.samples if 0 < sample.due_seconds < 0.1]
    assert late
    assert min(late) > 150


def test_workers_that_outlive_the_first_process_are_left(tmp_path: Path) -> None:
    program = "import subprocess, sys; print(subprocess.Popen(['sleep', '60']).pid, flush=True); input()"
    first = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    log = tmp_path / "log"
    log.touch()
    with first:
        assert first.stdout is not None
        worker = psutil.Process(int(first.stdout.readline()))
        seen = workers_of(psutil.Process(first.pid))
        first.kill()
        first.wait()
        try:
            ending = stop(Service(0, first, log, log), seen)
        finally:
            worker.kill()
    assert seen == {worker}
    assert (ending.had_died, ending.processes_left) == (True, 1)
