"""Unusual numbers of threads, and other settings of gunicorn's own command."""

import contextlib
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil

from support.service import free_port, running_service, wait_for

COMMAND = [
    sys.executable,
    "-m",
    "gunicorn",
    "--worker-class",
    "simplestack.server.Worker",
    "--no-control-socket",
]


def test_connections_are_kept_with_as_many_threads_as_connections(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, "[server]\nworkers = 1\nthreads = 1000\n") as service,
        contextlib.closing(service.connection(20)) as connection,
    ):
        connection.request("GET", "/healthz")
        response = connection.getresponse()
        response.read()
        assert response.headers["connection"] == "keep-alive"
        assert "No keepalived connections" not in service.log


def test_one_thread_is_not_enough(tmp_path: Path) -> None:
    command = [*COMMAND, "--bind", f"127.0.0.1:{free_port()}", "simplestack.server:create_app()"]
    done = subprocess.run(
        command,
        env={"XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "simplestack.server.Worker needs at least 2 threads" in done.stderr


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/healthz", timeout=10):
            return True
    except OSError:
        return False


def test_a_worker_without_time_to_end_ends_at_once(tmp_path: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    options = ["--threads", "2", "--graceful-timeout", "0", "--bind", address]
    log_path = tmp_path / "log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [*COMMAND, *options, "simplestack.server:create_app()"],
            env={"XDG_STATE_HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )
    try:
        (worker,) = wait_for(lambda: psutil.Process(process.pid).children(), what="the worker")
        wait_for(lambda: answers(address), what="the worker to serve")
        worker.send_signal(signal.SIGTERM)
        wait_for(lambda: worker not in psutil.Process(process.pid).children(), what="the worker to end")
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
    assert "Traceback" not in log_path.read_text()
