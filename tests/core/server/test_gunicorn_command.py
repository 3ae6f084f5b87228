"""Gunicorn's own command is as safe as `simplestack serve`, and warns of the same."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.metrics import wait_for_total
from support.service import Service, free_port, running_service, wait_for

OURS = ("--worker-class", "simplestack.server.Worker", "--threads", "4")
#: A setting that both warn of; another plugin's is as good.
SETTINGS = {"SIMPLESTACK_HYPERVISORS__XEN__TLS_VERIFY": "false"}
WARNING = "xen: tls_verify is off"


@contextlib.contextmanager
def gunicorn(folder: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Service]:
    """Run the service with gunicorn's command until the block ends."""
    folder.mkdir(exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--log-level", "debug"]
    own = {name: value for name, value in os.environ.items() if not name.startswith("SIMPLESTACK_")}
    own |= {"XDG_STATE_HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), **(environment or {})}
    log_path, audit_path = folder / "service.log", folder / "audit.log"
    with log_path.open("wb") as log, audit_path.open("wb") as audit:
        process = subprocess.Popen(
            [*command, *options, "simplestack.server:create_app()"], env=own, stdout=audit, stderr=log
        )
    service = Service(port, process, log_path, audit_path)

    def responds() -> bool:
        with contextlib.suppress(OSError):
            return service.get("/healthz").status == 200
        return False

    try:
        wait_for(responds, what="gunicorn")
        yield service
    finally:
        process.terminate()
        process.wait(20)


def test_our_worker_switches_the_control_socket_off(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *OURS) as service:
        wait_for(lambda: "Control socket disabled" in service.log, what="gunicorn to have decided")
        assert not (tmp_path / "gunicorn.ctl").exists()


@pytest.mark.parametrize("options", [OURS, ()], ids=["ours", "plain"])
def test_it_logs_the_warnings_of_serve(tmp_path: Path, options: tuple[str, ...]) -> None:
    with running_service(tmp_path / "serve", environment=SETTINGS) as service:
        assert WARNING in service.log
    with gunicorn(tmp_path, *options, environment=SETTINGS) as service:
        assert WARNING in service.log


def test_it_warns_of_an_open_service_without_tokens(tmp_path: Path) -> None:
    settings = {
        "SIMPLESTACK_SERVER__HYPERVISORS": '["mock"]',
        "SIMPLESTACK_HYPERVISORS__MOCK__ALLOWED_HOSTS": '["demo"]',
    }
    with gunicorn(tmp_path / "open", *OURS, environment=settings) as service:
        assert "server.tokens is not set: everybody who can connect" in service.log
    with gunicorn(tmp_path / "closed", *OURS) as service:
        assert "server.tokens" not in service.log


def test_it_warns_of_another_worker_class(tmp_path: Path) -> None:
    with gunicorn(tmp_path / "plain") as service:
        assert "gunicorn uses another worker class than simplestack.server.Worker" in service.log
    with gunicorn(tmp_path / "ours", *OURS) as service:
        assert "another worker class" not in service.log


def test_its_metrics_are_the_services_also_after_a_reload(tmp_path: Path) -> None:
    with gunicorn(tmp_path, *OURS, "--workers", "2") as service:
        for starts in (2, 4, 6):
            wait_for_total(service, starts, "simplestack_worker_starts_total")
            wait_for_total(service, 2, "simplestack_workers")
            if starts < 6:
                service.process.send_signal(signal.SIGHUP)
