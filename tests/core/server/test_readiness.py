"""`GET /readyz`: whether requests may be sent to this service."""

import contextlib
import signal
from pathlib import Path

import psutil

from support.distributions import install
from support.service import Service, running_service, wait_for

BROKEN = "raise ImportError('its SDK is missing')"


def worker_of(service: Service) -> psutil.Process:
    (worker,) = psutil.Process(service.process.pid).children()
    return worker


def test_a_service_that_runs_is_ready(service: Service) -> None:
    response = service.get("/readyz", headers={"X-Simplestack-Hypervisor-Token": None})
    assert (response.status, response.json) == (200, {"status": "ready"})
    assert service.request("HEAD", "/readyz").status == 200
    assert service.get("/readyz?x=1").error == "InvalidArguments"


def test_a_worker_that_stops_is_not_ready(tmp_path: Path) -> None:
    with (
        running_service(tmp_path, "[server]\nworkers = 1\n") as service,
        contextlib.closing(service.connection(20)) as connection,
    ):
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        assert response.status == 200
        response.read()
        worker_of(service).send_signal(signal.SIGTERM)

        def last_response() -> tuple[int, bytes] | None:
            # A stopping worker waits a second for the next request of a connection.
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            body = response.read()
            is_last = response.headers["connection"] == "close"
            return (response.status, body) if is_last else None

        status, body = wait_for(last_response, what="the worker to handle the signal")
        assert status == 503
        assert b'"error":"NotReady"' in body
        assert b"the service is stopping" in body


def test_a_service_without_a_plugin_that_its_settings_name_is_not_ready(
    tmp_path: Path, plugins: Path
) -> None:
    install(plugins, "broken", BROKEN)
    named = "[server]\nhypervisors = ['mock', 'broken']\n"
    with running_service(tmp_path / "named", named, plugins=plugins) as service:
        response = service.get("/readyz", headers={"X-Simplestack-Hypervisor-Token": None})
        assert (response.status, response.error) == (503, "NotReady")
        assert "broken" not in response.json["message"]
        assert service.get("/healthz").status == 200
    with running_service(tmp_path / "all", plugins=plugins) as service:
        assert "not loaded: plugin 'broken'" in service.log
        assert service.get("/readyz").status == 200
