"""Pages that service plugins add to the REST service."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack.identity.tokens import token_hash
from support.distributions import install
from support.service import Service, running_service

GROUP = "simplestack.services"
#: Its `service_routes` begins at line 26 of the module.
SOURCE = """
class Page:
    def __init__(self, text):
        self._text = text
    def on_get(self, request, response, **segments):
        response.text = f"{self._text} {request.context.client} {segments}"
    def on_post(self, request, response, **segments):
        raise {raised}

class Own(Exception): ...

def handle(request, response, error, parameters):
    response.text = "handled"

class Settings(ServiceSettings, frozen=True, kw_only=True):
    text: str = "hello"

class Pages:
    def __init__(self, settings):
        self._text = settings.text
    @hookimpl
    def service_routes(self, app):
        {body}

plugin = ServicePlugin(name="{name}", title="Pages", settings=Settings, make=Pages)
"""
TOKEN = "a-service-token"
#: The body of `service_routes`, and the reason.
BROKEN = {
    "raises": (
        "raise RuntimeError('x')",
        "service_routes(app) failed: RuntimeError: x (plugin_raises.py, line 27, in service_routes)",
    ),
    "exits": (
        "sys.exit(3)",
        "service_routes(app) failed: SystemExit: 3 (plugin_exits.py, line 27, in service_routes)",
    ),
    "hangs": (
        "time.sleep(3600)",
        (
            "service_routes(app) did not end within 2 s (stopped at plugin_hangs.py, line 27, in "
            "service_routes)"
        ),
    ),
    "usurps": (
        "app.add_route('/healthz', Page(''))",
        "service_routes adds a route at '/healthz'; expected one below '/_usurps/'",
    ),
    "neighbour": (
        "app.add_route('/_neighbours/x', Page(''))",
        "service_routes adds a route at '/_neighbours/x'; expected one below '/_neighbour/'",
    ),
    "handles": (
        "app.add_error_handler(Exception, handle)",
        (
            "service_routes adds an error handler for class Exception; "
            "expected an exception class of the package plugin_handles"
        ),
    ),
    "ambiguous": (
        "app.add_route('/_ambiguous/{a}', Page('')); app.add_route('/_ambiguous/{b}', Page(''))",
        "(plugin_ambiguous.py, line 27, in service_routes)",
    ),
    "middle": (
        "app.add_middleware(Page(''))",
        "failed: AttributeError: 'Pages' object has no attribute 'add_middleware'",
    ),
}


def source(name: str, body: str, raised: str = "Own") -> str:
    return SOURCE.replace("{name}", name).replace("{body}", body).replace("{raised}", raised)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    plugins = folder / "plugins"
    routes = "app.add_error_handler(Own, handle); app.add_route('/_first/{what}', Page(self._text))"
    install(plugins, "first", source("first", routes), GROUP)
    second = "app.add_route('/_second', Page(self._text))"
    install(plugins, "second", source("second", second, "InvalidState('x', current='a', needed='b')"), GROUP)
    config = (
        f"[server]\nworkers = 2\n[server.tokens]\nrobot = '{token_hash(TOKEN)}'\n"
        "[services.second]\ntext = 'good morning'\n"
    )
    with running_service(folder / "service", config, plugins=plugins) as running:
        yield running


AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def test_each_plugin_has_pages_of_its_own_with_its_settings(service: Service) -> None:
    for path, text in (
        ("/_first/a", "hello robot {'what': 'a'}"),
        ("/_first/a%2Fb", "hello robot {'what': 'a%2Fb'}"),
        ("/_second", "good morning robot {}"),
    ):
        answer = service.get(path, headers=AUTHORIZED)
        assert (answer.status, answer.body.decode()) == (200, text)
        assert answer.headers["x-request-id"]
    assert service.get("/_second/more", headers=AUTHORIZED).status == 404


@pytest.mark.parametrize("path", ["/_first/a", "/_second", "/_second/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE", "OPTIONS"])
def test_only_clients_with_a_service_token_reach_a_page(service: Service, path: str, method: str) -> None:
    for headers in ({}, {"Authorization": "Bearer other"}):
        assert service.request(method, path, headers=headers).status in {401, 404}
    assert service.get(path, headers={}).error == "Unauthorized"


def test_errors_of_pages_have_the_shape_of_all_errors_or_a_handler_of_the_plugins(service: Service) -> None:
    answer = service.post("/_second", {}, headers=AUTHORIZED)
    assert (answer.status, answer.error, answer.json["current"]) == (409, "InvalidState", "a")
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert service.post("/_first/a", {}, headers=AUTHORIZED).body == b"handled"


def run(folder: Path, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    config = folder / "simplestack.toml"
    config.write_text("[server]\nbind = '127.0.0.1:0'\nplugin_timeout_seconds = 2\nhypervisors = ['mock']")
    return subprocess.run(
        [sys.executable, "-m", "simplestack", command, "--config", str(config), *arguments],
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_service_does_not_start_where_a_service_plugin_cannot_add_its_pages(plugins: Path) -> None:
    for name, (body, _) in BROKEN.items():
        install(plugins, name, source(name, body), GROUP)
    for command in (("check-config",), ("serve",)):
        result = run(plugins, *command)
        assert result.returncode == 1
        for name, (_, reason) in BROKEN.items():
            (line,) = (line for line in result.stderr.splitlines() if f"service plugin '{name}' (" in line)
            assert reason in line
    assert run(plugins, "plugins").returncode == 0
