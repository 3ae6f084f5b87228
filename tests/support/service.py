"""A service of one's own, and a client for it."""

import base64
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

START_SECONDS = 30
STOP_SECONDS = 30


def token(user: str = "admin", password: str = "secret") -> str:
    """Return the header that first-generation clients send."""
    return base64.b64encode(f"{user}:{password}".encode()).decode()


@dataclass
class Answer:
    """What a request got; `repr` shows it when an assertion fails."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.body.endswith(b"\n"), f"JSON without a newline at its end: {self}"
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """The error's name; fails when the answer is not an error in the one shape."""
        body = self.json
        assert body["message"], self
        assert body["request_id"] == self.headers["x-request-id"], self
        assert self.headers["content-type"] == "application/json", self
        name: str = body["error"]
        return name


@dataclass
class Service:
    """A running service."""

    port: int
    process: subprocess.Popen[bytes]
    log_path: Path
    audit_path: Path
    default_headers: dict[str, str] = field(
        default_factory=lambda: {"X-Simplestack-Hypervisor-Token": token()}
    )
    #: How to speak TLS with it; None when it speaks none.
    tls: ssl.SSLContext | None = None

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.port

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    @property
    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit_path.read_text().splitlines()]

    def audit_of(self, request_id: str) -> dict[str, Any]:
        """Wait for the audit line of a request: an export's comes after the client has all bytes."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            for line in self.audit:
                if line["request_id"] == request_id:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"no audit line for {request_id}")

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str | None] | None = None,
        timeout_seconds: float = 60,
    ) -> Answer:
        """Send one request on a connection of its own. A body that is not bytes is sent as JSON."""
        sent: dict[str, str | None] = dict(self.default_headers)
        if body is not None and not isinstance(body, bytes) and not hasattr(body, "__next__"):
            body = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        sent |= headers or {}
        with contextlib.closing(self.connection(timeout_seconds)) as connection:
            present = {name: value for name, value in sent.items() if value is not None}
            connection.request(method, path, body, present)
            response = connection.getresponse()
            return Answer(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )

    def connection(self, timeout_seconds: float) -> http.client.HTTPConnection:
        """Return a connection that is yet to be made."""
        if self.tls is None:
            return http.client.HTTPConnection(*self.address, timeout=timeout_seconds)
        return http.client.HTTPSConnection(*self.address, timeout=timeout_seconds, context=self.tls)

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("POST", path, body, **options)

    def put(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.request("PUT", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.request("DELETE", path, **options)

    def raw(self, *pieces: bytes) -> bytes:
        """Send bytes as they are, and return all that comes back until the service closes or is silent."""
        with socket.create_connection(self.address, timeout=20) as connection:
            for piece in pieces:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
            return b"".join(parts)

    def stop(self) -> int:
        """Stop it as an operator would, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for(condition: Any, seconds: float = 20, what: str = "the condition") -> Any:
    """Return what `condition()` returns, as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {seconds} s for {what}")


@contextlib.contextmanager
def running_service(
    folder: Path,
    config: str = "",
    *arguments: str,
    environment: Mapping[str, str] | None = None,
    plugins: Path | None = None,
    prefix: str = "",
    python: str = sys.executable,
    tls: ssl.SSLContext | None = None,
    bind_port: int | None = None,
) -> Iterator[Service]:
    """Run ``simplestack serve`` with a TOML config, until the block ends.

    :param folder: where its files go
    :param plugins: a folder of installed distributions, beside those of the environment
    :param prefix: the path that a proxy in front of it would add
    :param python: the interpreter whose environment it is installed in
    :param tls: what trusts the certificate that the config names
    :param bind_port: the port in the config. Default: a free one, which overrides the config
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "simplestack.toml"
    path.write_text(config)
    port = free_port() if bind_port is None else bind_port
    bind = ["--bind", f"127.0.0.1:{port}"] if bind_port is None else []
    env = {name: value for name, value in os.environ.items() if not name.startswith("SIMPLESTACK_")}
    # The log for people, with all lines of many tests, and the audit for `Service.audit`.
    env |= {"SIMPLESTACK_SERVER__AUDIT_FORMAT": "json"}
    env |= {"SIMPLESTACK_SERVER__MAX_REJECTION_LINES_PER_MINUTE": "100000"}
    env |= {"XDG_STATE_HOME": str(folder), **(environment or {})}
    if prefix:
        env["SCRIPT_NAME"] = prefix
    if plugins is not None:
        env["PYTHONPATH"] = str(plugins)
    command = [python, "-m", "simplestack", "serve", "--config", str(path)]
    log_path, audit_path = folder / "service.log", folder / "audit.log"
    with log_path.open("wb") as log, audit_path.open("wb") as audit:
        process = subprocess.Popen([*command, *bind, *arguments], env=env, stdout=audit, stderr=log)
    service = Service(port, process, log_path, audit_path, tls=tls)
    try:
        wait_for(lambda: _is_ready(service, prefix), START_SECONDS, f"the service to start:\n{service.log}")
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise


def _is_ready(service: Service, prefix: str) -> bool:
    if service.process.poll() is not None:
        raise AssertionError(f"the service ended with {service.process.returncode}:\n{service.log}")
    try:
        return service.get(f"{prefix}/healthz", timeout_seconds=5).status == 200
    except OSError:
        return False
