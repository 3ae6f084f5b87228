"""The example of docs/logs.md is what a service writes, in both formats."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from project.repository import ROOT, code_blocks
from simplestack.dispatch.audit_line import AuditLine
from simplestack.identity.tokens import token_hash
from support.service import Service, running_service, wait_for

PAGE = "docs/logs.md"
#: What differs from one run to the next.
CHANGING = re.compile(
    r"\d{4}-\d\d-\d\dT[\d:.]+Z|\[\d+\]|(?<=\"process\":)\d+|(?<=127\.0\.0\.1:)\d+|"
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=duration_ms=)[\d.]+|(?<=\"duration_ms\":)[\d.]+"
)
CONFIG = f"""
[server]
workers = 1
hypervisors = ["mock"]
tokens = {{ shop = "{token_hash("secret-token")}" }}

[hypervisors.mock]
allowed_hosts = ["demo"]
"""


def written(service: Service, settings: Path) -> Iterator[str]:
    """Use a service, and yield the lines of the example as they appear."""

    def line(mark: str) -> str:
        found: list[str] = wait_for(lambda: [text for text in lines() if mark in text], what=mark)
        return found[-1]

    def lines() -> list[str]:
        return (service.log + service.audit_path.read_text()).splitlines()

    def ask(path: str, name: str, **body: str) -> str:
        headers = {"X-Request-Id": name}
        service.request("PUT" if body else "GET", path, body or None, headers=headers)
        return line(name)

    yield line("ready at")
    yield ask("/mock/demo/guests", "list-1")
    guests = service.get("/mock/demo/guests?fields=state").json
    guest = next(found["id"] for found in guests if found["state"] == "STARTED")
    token = service.default_headers.pop("Authorization")
    service.default_headers["Authorization"] = "Bearer wrong-token"
    yield ask("/mock/demo/guests", "token-1")
    service.default_headers["Authorization"] = token
    yield ask("/mock/demo/gests", "path-1")
    yield ask(f"/mock/demo/guests/{guest}/power", "power-1", state="start")
    yield ask("/mock/10.0.0.1/hosts", "host-1")
    settings.write_text(CONFIG.replace("tokens", "token"))
    service.process.send_signal(signal.SIGHUP)
    yield line("Handling signal: hup")
    yield line("server.token: ")
    yield line("SIGHUP: ")
    service.process.send_signal(signal.SIGTERM)
    yield line("Handling signal: term")


@pytest.mark.parametrize(("log_format", "language"), [("text", "console"), ("json", "json")])
def test_the_example_is_what_the_service_writes(tmp_path: Path, log_format: str, language: str) -> None:
    names = ("SIMPLESTACK_SERVER__LOG_FORMAT", "SIMPLESTACK_SERVER__AUDIT_FORMAT")
    with running_service(tmp_path, CONFIG, environment=dict.fromkeys(names, log_format)) as service:
        service.default_headers["Authorization"] = "Bearer secret-token"
        lines = list(written(service, tmp_path / "simplestack.toml"))
    (tmp_path / "example").write_text("".join(f"{line}\n" for line in lines))  # to be put into the page
    shown = code_blocks(PAGE, language)[0].splitlines()
    assert [CHANGING.sub("*", line) for line in shown] == [CHANGING.sub("*", line) for line in lines]


def test_the_page_has_all_fields_of_an_audit_line() -> None:

    text = (ROOT / PAGE).read_text()
    assert [name for name in AuditLine.__struct_fields__ if f"`{name}`" not in text] == []
