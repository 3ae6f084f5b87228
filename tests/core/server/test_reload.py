"""SIGHUP: new settings take effect without losing a request, and wrong ones change nothing."""

import http.client
import re
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from simplestack.identity.tokens import token_hash
from simulators.tls import make_trust
from support.distributions import install
from support.service import Service, free_port, running_service, wait_for

SOON_SECONDS = 30
FIRST, SECOND = ("token-1", "token-2")
#: The export of guest "1" goes on until the test lets it end.
PLUGIN = """
import os
from pathlib import Path

folder = Path(os.environ["RELOAD_FOLDER"])

def chunks():
    yield b"first"
    (folder / "started").touch()
    while not (folder / "let-go").exists():
        time.sleep(0.02)
    yield b"-last"

@hookimpl
def guest_export(session, guest_id):
    return Export(chunks(), 10)

@hookimpl
def host_list(session):
    time.sleep(0.5)
    return []

plugin = HypervisorPlugin(name="slow", title="Slow", connect=lambda t, c, s: object(),
                          disconnect=lambda s: None, hooks=(me,), settings=HypervisorSettings)
"""


def config(*, token: str = FIRST, hosts: str = "*", server: str = "", hypervisors: str = "") -> str:
    return f"""
[server]
workers = 2
{server}
tokens = {{ ci = "{token_hash(token)}" }}

[hypervisors.mock]
allowed_hosts = ["{hosts}"]
{hypervisors}
"""


@contextmanager
def running(tmp_path: Path, text: str) -> Iterator[Service]:
    install(tmp_path / "plugins", "slow", PLUGIN)
    environment = {"RELOAD_FOLDER": str(tmp_path)}
    with running_service(tmp_path, text, plugins=tmp_path / "plugins", environment=environment) as service:
        service.default_headers["Authorization"] = f"Bearer {FIRST}"
        wait_for(lambda: len(workers_of(service)) == 2, SOON_SECONDS, "both workers")
        yield service


def workers_of(service: Service) -> set[psutil.Process]:
    return {child for child in psutil.Process(service.process.pid).children() if runs(child)}


def runs(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def hang_up(service: Service, tmp_path: Path, text: str) -> None:
    """Change the settings, and tell the service."""
    (tmp_path / "simplestack.toml").write_text(text)
    service.process.send_signal(signal.SIGHUP)


def reload(service: Service, tmp_path: Path, text: str) -> None:
    """Change the settings, and wait until all workers have them."""
    before = workers_of(service)
    hang_up(service, tmp_path, text)
    wait_for(lambda: not before & workers_of(service), SOON_SECONDS, f"new workers:\n{service.log}")


def test_tokens_hosts_and_time_limits_change(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service:
        assert service.get("/mock/demo/hosts").status == 200
        assert service.get("/slow/h/hosts").status == 200
        own = "[hypervisors.slow.hosts.h]\ncall_timeout_seconds = 0.1\n"
        reload(service, tmp_path, config(token=SECOND, hosts="other", hypervisors=own))
        assert service.get("/mock/demo/hosts").status == 401
        service.default_headers["Authorization"] = f"Bearer {SECOND}"
        assert service.get("/mock/demo/hosts").error == "HostNotAllowed"
        assert service.get("/mock/other/hosts").status == 200
        assert service.get("/slow/h/hosts").error == "HypervisorTimeout"
        assert service.get("/slow/i/hosts").status == 200
        assert "SIGHUP: new workers start with the new settings" in service.log


def test_wrong_settings_keep_the_old_ones_and_the_log_says_what_is_wrong(tmp_path: Path) -> None:
    """All problems at once, in the words of `simplestack check-config`."""
    with running(tmp_path, config()) as service:
        before = workers_of(service)
        hang_up(service, tmp_path, config(token=SECOND, server="thraeds = 3", hypervisors="seed_gests = 1"))
        wait_for(lambda: "keeps the old ones" in service.log, what="the line")
        errors = [line.partition("]: ")[2] for line in service.log.splitlines() if " ERROR " in line]
        assert errors == [
            "server.thraeds: there is no such setting; did you mean 'threads'?",
            "hypervisors.mock.seed_gests: there is no such setting; did you mean 'seed_guests'?",
            "SIGHUP: the new settings are wrong, the service keeps the old ones",
        ]
        command = [
            sys.executable,
            "-m",
            "simplestack",
            "check-config",
            "--config",
            str(tmp_path / "simplestack.toml"),
        ]
        checked = subprocess.run(command, capture_output=True, check=False, text=True)
        assert [
            line.partition("Error: ")[2] for line in checked.stderr.splitlines() if "Error" in line
        ] == errors[:-1]
        assert service.get("/mock/demo/hosts").status == 200
        assert workers_of(service) == before
        reload(service, tmp_path, config(token=SECOND))
        assert service.get("/mock/demo/hosts").status == 401


def test_a_file_that_is_gone_or_no_toml_keeps_the_old_settings(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service:
        hang_up(service, tmp_path, "[server")
        wait_for(lambda: "is not valid TOML" in service.log, what="the line")
        (tmp_path / "simplestack.toml").unlink()
        service.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "cannot read" in service.log, what="the line")
        wait_for(lambda: service.log.count("keeps the old ones") == 2, what="the second line")
        assert service.get("/mock/demo/hosts").status == 200


def test_log_format_and_number_of_workers_change(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service:
        text = config(server='log_format = "json"').replace("workers = 2", "workers = 1")
        reload(service, tmp_path, text)
        wait_for(lambda: len(workers_of(service)) == 1, SOON_SECONDS, "one worker")
        service.get("/mock/demo/nothing", headers={"X-Request-Id": "json-1"})
        (line,) = [line for line in service.log.splitlines() if "json-1" in line]
        assert line.startswith('{"time":"')


def test_a_renewed_certificate_is_used(tmp_path: Path) -> None:
    old, new = (make_trust(tmp_path / name) for name in ("old", "new"))
    pair = shutil.copy(old.certificate, tmp_path / "pair.pem")
    text = f'[server]\nworkers = 1\ncertificate = "{pair}"\nprivate_key = "{pair}"\n'
    context = ssl.create_default_context(cafile=old.ca_file)
    context.load_verify_locations(new.ca_file)
    with running_service(tmp_path, text, tls=context) as service:
        before = ssl.get_server_certificate(service.address)
        shutil.copy(new.certificate, pair)
        reload(service, tmp_path, text)
        assert service.get("/mock/demo/hosts").status == 200
        assert ssl.get_server_certificate(service.address) != before


class Client(threading.Thread):
    """Sends one request after the other, and records what is not answered with 200."""

    def __init__(self, service: Service, ended: threading.Event, *, keeps: bool) -> None:
        super().__init__(daemon=True)
        self._service, self._ended, self._keeps = service, ended, keeps
        self.answered = 0
        self.failures: list[str] = []
        self.start()

    def run(self) -> None:
        connection = self._service.connection(60)
        while not self._ended.is_set():
            try:
                connection.request("GET", "/mock/demo/hosts", headers=self._service.default_headers)
                response = connection.getresponse()
                body = response.read()
                if response.status != 200:
                    self.failures.append(f"{response.status} {body!r}")
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            if not self._keeps:
                connection.close()
        connection.close()


def test_no_request_is_lost_under_load(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service:
        ended = threading.Event()
        clients = [Client(service, ended, keeps=number % 2 == 0) for number in range(8)]
        for hosts in ("d*", "de*", "demo"):
            before = {client: client.answered for client in clients}
            reload(service, tmp_path, config(hosts=hosts))
            wait_for(lambda: all(client.answered > before[client] + 5 for client in clients), what="answers")  # noqa: B023  called at once
        ended.set()
        for client in clients:
            client.join(SOON_SECONDS)
        assert [failure for client in clients for failure in client.failures] == []
        assert service.get("/mock/other/hosts").error == "HostNotAllowed"


@contextmanager
def export(service: Service, tmp_path: Path) -> Iterator[http.client.HTTPResponse]:
    """Begin an export."""
    with closing(service.connection(60)) as connection:
        connection.request("GET", "/slow/h/guests/1/export", headers=service.default_headers)
        response = connection.getresponse()
        wait_for((tmp_path / "started").exists, what="the export to start")
        yield response


def test_an_export_goes_on_and_new_requests_have_the_new_settings(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service, export(service, tmp_path) as response:
        hang_up(service, tmp_path, config(token=SECOND))
        # Once at the first new worker only: the old one with the export accepts no connection any more.
        wait_for(lambda: service.get("/mock/demo/hosts").status == 401, SOON_SECONDS, "the new settings")
        (tmp_path / "let-go").touch()
        assert response.read() == b"first-last"


def test_sigterm_stops_the_service_while_an_export_of_an_old_worker_goes_on(tmp_path: Path) -> None:
    text = config(server="graceful_timeout_seconds = 600")
    with running(tmp_path, text) as service, export(service, tmp_path) as response:
        hang_up(service, tmp_path, config(token=SECOND))
        wait_for(lambda: service.get("/mock/demo/hosts").status == 401, SOON_SECONDS, "the new settings")
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Handling signal: term" in service.log, SOON_SECONDS, "the arbiter to stop")
        (tmp_path / "let-go").touch()
        assert response.read() == b"first-last"
        assert service.process.wait(SOON_SECONDS) == 0


def test_newer_settings_take_effect_while_an_export_of_an_old_worker_goes_on(tmp_path: Path) -> None:
    text = config(server="graceful_timeout_seconds = 600")
    with running(tmp_path, text) as service, export(service, tmp_path) as response:
        for token, outdated in ((SECOND, FIRST), (FIRST, SECOND)):
            hang_up(service, tmp_path, text.replace(token_hash(FIRST), token_hash(token)))
            service.default_headers["Authorization"] = f"Bearer {outdated}"
            wait_for(lambda: service.get("/mock/demo/hosts").status == 401, SOON_SECONDS, "the new settings")
        (tmp_path / "let-go").touch()
        assert response.read() == b"first-last"


def test_a_worker_ignores_the_signal(tmp_path: Path) -> None:
    with running(tmp_path, config()) as service:
        workers = workers_of(service)
        for worker in workers:
            worker.send_signal(signal.SIGHUP)
        assert {service.get("/mock/demo/hosts").status for _ in range(20)} == {200}
        assert workers_of(service) == workers


@pytest.mark.parametrize("wanted", ["127.0.0.1", "0.0.0.0"])  # noqa: S104  it is the point
def test_another_address_in_the_file_needs_a_restart(tmp_path: Path, wanted: str) -> None:
    """The service does not become open to others, and does not lose what open addresses require."""
    port = free_port()
    text = f'[server]\nbind = "127.0.0.1:{port}"\nworkers = 1\n'
    with running_service(tmp_path, text, bind_port=port) as service:
        changed = text.replace(f"127.0.0.1:{port}", f"{wanted}:{free_port()}")
        if wanted != "127.0.0.1":
            changed += 'hypervisors = ["mock"]\n[hypervisors.mock]\nallowed_hosts = ["*"]\n'
        reload(service, tmp_path, changed)
        assert service.get("/mock/demo/hosts").status == 200
        (line,) = [line for line in service.log.splitlines() if "server.bind: " in line]
        assert re.search(
            rf"WARNING .*{wanted}:\d+ needs a restart, .* still listens on 127.0.0.1:{port}", line
        )
