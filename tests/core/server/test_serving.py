"""Other ways to run it: TLS, gunicorn's own command, images larger than memory should hold."""

import http.client
import os
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import trustme

from support.service import Service, free_port, running_service, token, wait_for

MIB = 1024**2
#: What a worker may grow by while an image passes through it.
GROWTH_BYTES = 24 * MIB
IMAGE_BYTES = 512 * MIB


def test_with_a_certificate_it_speaks_https(tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_and_cert_chain_pem.write_to_path(tmp_path / "both.pem")
    context = ssl.create_default_context()
    authority.configure_trust(context)
    port = free_port()
    command = [sys.executable, "-m", "simplestack", "serve", "--bind", f"localhost:{port}", "--workers", "1"]
    both = str(tmp_path / "both.pem")
    files = ["--certificate", both, "--private-key", both]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *files], env={"XDG_STATE_HOME": str(tmp_path)}, stdout=log, stderr=log
        )

    def answer() -> tuple[int, bytes] | None:
        connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=10)
        try:
            headers = {"X-Simplestack-Hypervisor-Token": token()}
            connection.request("GET", "/mock/demo/guests?fields=id", headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionRefusedError:
            return None
        finally:
            connection.close()

    try:
        status, body = wait_for(answer, what="HTTPS")
        assert (status, body[:1]) == (200, b"[")
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize(
    "options", [(), ("--worker-class", "simplestack.server.Worker", "--threads", "4")], ids=["plain", "ours"]
)
def test_gunicorns_own_command_runs_it(tmp_path: Path, options: tuple[str, ...]) -> None:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--bind", f"127.0.0.1:{port}", "--no-control-socket"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options, "simplestack.server:create_app()"],
            env={"XDG_STATE_HOME": str(tmp_path)},
            stdout=log,
            stderr=log,
        )

    def answer() -> int | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/mock", timeout=10) as response:
                status: int = response.status
                return status
        except OSError:
            return None

    try:
        assert wait_for(answer, what="gunicorn") == 200
    finally:
        process.terminate()
        process.wait(20)


def test_our_worker_rejects_settings_of_gunicorn_that_ask_for_another_protocol(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gunicorn", "--worker-class", "simplestack.server.Worker"]
    done = subprocess.run(
        [
            *command,
            "--threads",
            "2",
            "--protocol",
            "uwsgi",
            "--bind",
            f"127.0.0.1:{free_port()}",
            "simplestack.server:create_app()",
        ],
        env={"XDG_STATE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "simplestack.server.Worker speaks HTTP/1.1 only" in done.stderr


@pytest.fixture
def single(tmp_path: Path) -> Iterator[Service]:
    """One worker, so that it is known which process an image passes through."""
    config = f"[server]\nworkers = 1\n[hypervisors.mock]\ncontent_bytes = {IMAGE_BYTES}"
    with running_service(tmp_path, config) as service:
        yield service


def memory_bytes(service: Service) -> int:
    (worker,) = psutil.Process(service.process.pid).children()
    resident: int = worker.memory_info().rss
    return resident


@pytest.mark.parametrize("chunked", [False, True], ids=["content-length", "chunked"])
def test_an_import_takes_constant_memory(single: Service, chunked: bool) -> None:
    single.get("/mock/demo/guests")
    before = memory_bytes(single)
    chunk = os.urandom(MIB)
    headers = {"Content-Type": "application/octet-stream"}
    if not chunked:
        headers["Content-Length"] = str(IMAGE_BYTES)
    made = single.post(
        "/mock/demo/guests",
        iter([b"QFI\xfb" + chunk[4:], *[chunk] * (IMAGE_BYTES // MIB - 1)]),
        headers=headers,
    )
    assert (made.status, made.json["hdd"]) == (201, 0.5)
    assert memory_bytes(single) - before < GROWTH_BYTES


def test_an_export_takes_constant_memory(single: Service) -> None:
    made = single.post("/mock/demo/guests", {"name": "large", "memory": 64, "disks": [{"size": 1}]}).json
    for state in ("start", "force_stop"):  # a guest that has run has written to its disk
        assert single.put(f"/mock/demo/guests/{made['id']}/power", {"state": state}).status == 200
    before = memory_bytes(single)
    connection = http.client.HTTPConnection(*single.address, timeout=60)
    connection.request("GET", f"/mock/demo/guests/{made['id']}/export", headers=single.default_headers)
    response = connection.getresponse()
    received = 0
    while part := response.read(MIB):
        received += len(part)
    connection.close()
    assert received == int(response.headers["content-length"])
    assert received > IMAGE_BYTES
    assert memory_bytes(single) - before < GROWTH_BYTES


@pytest.mark.parametrize("connection", ["keep-alive", "close"])
def test_an_upload_that_is_refused_before_it_is_read_gets_its_answer(tmp_path: Path, connection: str) -> None:
    image = bytes(8 * MIB)
    with running_service(tmp_path) as service:
        for _ in range(3):
            answer = service.post(
                "/mock/demo/storages/nowhere/guests", image, headers={"Connection": connection}
            )
            assert (answer.status, answer.error) == (404, "EntityNotFound")
