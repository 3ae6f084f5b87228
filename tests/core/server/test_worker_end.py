"""How the service ends: within its time, whatever hangs."""

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from support.distributions import install
from support.service import Answer, Service, running_service, wait_for

#: `guest_list` returns when the test says so, `host_list` never does, as in a C library.
PLUGIN = """
import os, signal
from pathlib import Path

folder = Path(os.environ["END_FOLDER"])

def connect(target, credentials, settings):
    return target.name

def disconnect(session):
    (folder / f"logged-out-{session}").touch()
    if session == "stuck":
        threading.Event().wait()

@hookimpl
def host_list(session):
    (folder / "hangs").touch()
    threading.Event().wait()

@hookimpl
def guest_list(session):
    (folder / "waits").touch()
    while not (folder / "let-go").exists():
        time.sleep(0.02)
    return []

@hookimpl
def storage_list(session):
    return []

plugin = HypervisorPlugin(name="end", title="End", connect=connect, disconnect=disconnect, hooks=(me,),
                          settings=HypervisorSettings)
"""
#: Each worker calls `service_routes` when it starts.
SERVICE_PLUGIN = """
import os
from pathlib import Path

folder = Path(os.environ["END_FOLDER"])

@hookimpl
def service_routes(app):
    (folder / "loading").touch()
    while (folder / "load-slowly").exists():
        time.sleep(0.02)

plugin = ServicePlugin(name="slow", title="Loads slowly", make=lambda settings: me)
"""
GRACEFUL_SECONDS = 4
#: More than it takes on a busy machine, less than anything that hangs.
SOON_SECONDS = 25
SHORT = f"[server]\nworkers = 1\ngraceful_timeout_seconds = {GRACEFUL_SECONDS}\n"
LONG = "[server]\nworkers = 1\ngraceful_timeout_seconds = 600\n"


@contextlib.contextmanager
def running(tmp_path: Path, config: str) -> Iterator[Service]:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    install(plugins, "end", PLUGIN)
    install(plugins, "slow", SERVICE_PLUGIN, "simplestack.services")
    environment = {"END_FOLDER": str(tmp_path)}
    with running_service(tmp_path, config, plugins=plugins, environment=environment) as service:
        processes = workers_of(service)
        try:
            yield service
        finally:  # where a test fails, some may be left
            for process in processes:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()


class Asked(threading.Thread):
    """A request that is under way."""

    def __init__(self, service: Service, path: str, request_id: str) -> None:
        super().__init__(daemon=True)
        self._service, self._path, self._request_id = service, path, request_id
        self.answer: Answer | None = None
        self.start()

    def run(self) -> None:
        with contextlib.suppress(OSError):
            self.answer = self._service.get(self._path, headers={"X-Request-Id": self._request_id})


def ask(service: Service, folder: Path, path: str, request_id: str = "asked-1") -> Asked:
    """Send a request and wait until its hook runs."""
    asked = Asked(service, path, request_id)
    wait_for(
        (folder / ("waits" if path.endswith("guests") else "hangs")).exists, what="the hook to be called"
    )
    return asked


def workers_of(service: Service) -> list[psutil.Process]:
    return psutil.Process(service.process.pid).children()


def is_gone(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def test_a_hook_that_hangs_is_cut_off_and_named_in_the_log_and_in_the_audit(tmp_path: Path) -> None:
    with running(tmp_path, SHORT) as service:
        ask(service, tmp_path, "/end/h/hosts", "cut-1")
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(SOON_SECONDS) == 0
        assert "1 request was cut off: cut-1" in service.log
        (line,) = (line for line in service.audit if line["request_id"] == "cut-1")
        assert (line["operation"], line["outcome"]) == ("host_list", "ServiceStopped")
        assert line["duration_ms"] > 0


def test_workers_end_when_the_arbiter_was_killed_although_a_hook_hangs(tmp_path: Path) -> None:
    with running(tmp_path, SHORT) as service:
        ask(service, tmp_path, "/end/h/hosts")
        workers = workers_of(service)
        service.process.kill()
        service.process.wait()
        wait_for(lambda: all(map(is_gone, workers)), SOON_SECONDS, "the workers to end")


def test_a_request_that_is_finished_in_time_is_answered(tmp_path: Path) -> None:
    with running(tmp_path, LONG) as service:
        asked = ask(service, tmp_path, "/end/h/guests")
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "SIGTERM" in service.log or "term" in service.log, what="the signal to arrive")
        (tmp_path / "let-go").touch()
        asked.join(SOON_SECONDS)
        assert asked.answer is not None
        assert (asked.answer.status, asked.answer.json) == (200, [])
        assert service.process.wait(SOON_SECONDS) == 0
        assert "cut off" not in service.log


def test_a_service_that_answers_nothing_ends_at_once(tmp_path: Path) -> None:
    with running(tmp_path, LONG) as service:
        assert service.get("/end/h/storages").json == []
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(SOON_SECONDS) == 0


def test_sessions_are_logged_out_although_a_hook_hangs(tmp_path: Path) -> None:
    with running(tmp_path, SHORT) as service:
        assert service.get("/end/idle/storages").status == 200
        ask(service, tmp_path, "/end/h/hosts")
        service.stop()
        assert (tmp_path / "logged-out-idle").exists()


def test_a_logout_that_hangs_does_not_keep_a_worker_from_ending(tmp_path: Path) -> None:
    with running(tmp_path, SHORT) as service:
        assert service.get("/end/stuck/storages").status == 200
        (worker,) = workers_of(service)
        service.process.kill()
        service.process.wait()
        wait_for(lambda: is_gone(worker), SOON_SECONDS, "the worker to end")
        assert (tmp_path / "logged-out-stuck").exists()
        assert "1 session still logged in: 1 at stuck" in service.log


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
def test_an_interrupt_cuts_requests_off_and_logs_sessions_out(tmp_path: Path, number: signal.Signals) -> None:
    with running(tmp_path, LONG) as service:
        assert service.get("/end/idle/storages").status == 200
        ask(service, tmp_path, "/end/h/hosts", "cut-2")
        service.process.send_signal(number)
        assert service.process.wait(SOON_SECONDS) == 0
        assert "1 request was cut off: cut-2" in service.log
        assert (tmp_path / "logged-out-idle").exists()


def test_an_interrupt_shortens_the_end_that_sigterm_began(tmp_path: Path) -> None:
    with running(tmp_path, LONG) as service:
        ask(service, tmp_path, "/end/h/hosts", "cut-3")
        (worker,) = workers_of(service)
        worker.send_signal(signal.SIGTERM)
        worker.send_signal(signal.SIGINT)
        wait_for(lambda: is_gone(worker), SOON_SECONDS, "the worker to end")
        assert "1 request was cut off: cut-3" in service.log
        service.process.send_signal(signal.SIGINT)


def test_hang_up_replaces_the_workers_although_a_hook_hangs(tmp_path: Path) -> None:
    with running(tmp_path, SHORT) as service:
        ask(service, tmp_path, "/end/h/hosts")
        (before,) = workers_of(service)
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: is_gone(before), SOON_SECONDS, "the worker to be replaced")
        assert service.get("/end/h/storages").status == 200


def test_a_signal_that_comes_while_a_worker_starts_ends_it(tmp_path: Path) -> None:
    with running(tmp_path, LONG) as service:
        (tmp_path / "load-slowly").touch()
        (tmp_path / "loading").unlink()
        (before,) = workers_of(service)
        before.kill()
        wait_for((tmp_path / "loading").exists, what="the next worker to start")
        os.kill(service.process.pid, signal.SIGTERM)
        (tmp_path / "load-slowly").unlink()
        assert service.process.wait(SOON_SECONDS) == 0
