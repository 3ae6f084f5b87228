"""Pages that plugins add to the service: a plugin that fails at it is not used, and the others are."""

from collections.abc import Iterator

import pytest

from support.distributions import install
from support.listing import good
from support.service import Service, running_service

#: Its `mount` begins at line 12 of the module.
SOURCE = """
class Page:
    def on_get(self, request, response):
        response.text = "hello"

class Own(Exception): ...

def mount(app, settings, admit):
    BODY
"""
#: The body of `mount`, and the reason.
BROKEN = {
    "raises": (
        "app.add_route('/_raises/here', Page()); raise RuntimeError('x')",
        "mount(app, settings, admit) failed: RuntimeError: x (plugin_raises.py, line 13, in mount)",
    ),
    "exits": (
        "app.add_route('/_exits/here', Page()); sys.exit(3)",
        "mount(app, settings, admit) failed: SystemExit: 3 (plugin_exits.py, line 13, in mount)",
    ),
    "hangs": (
        "time.sleep(3600)",
        "mount(app, settings, admit) did not end within 3 s (stopped at plugin_hangs.py, line 13, in mount)",
    ),
    "usurps": (
        "app.add_route('/healthz', Page())",
        "mount adds a route at '/healthz'; expected one below '/_usurps/'",
    ),
    "neighbour": (
        "app.add_route('/_neighbours/x', Page())",
        "mount adds a route at '/_neighbours/x'; expected one below '/_neighbour/'",
    ),
    "handles": (
        "app.add_error_handler(Exception, lambda *arguments: None)",
        (
            "mount adds an error handler for class Exception; "
            "expected an exception class of the package plugin_handles"
        ),
    ),
    "ambiguous": (
        "app.add_route('/_ambiguous/{a}', Page()); app.add_route('/_ambiguous/{b}', Page())",
        "(plugin_ambiguous.py, line 13, in mount)",
    ),
    "middle": (
        "app.add_middleware(Page())",
        "failed: AttributeError: 'Pages' object has no attribute 'add_middleware'",
    ),
}


def source(name: str, body: str) -> str:
    description = good(name).replace("hooks=", f"mount=mount, aliases=('{name}-too',), hooks=")
    return SOURCE.replace("BODY", body) + description


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("pages")
    plugins = folder / "plugins"
    right = "app.add_error_handler(Own, print); app.add_route('/_right/hello', Page())"
    install(plugins, "right", source("right", right))
    for name, (body, _) in BROKEN.items():
        install(plugins, name, source(name, body))
    config = "[server]\nworkers = 1\nplugin_timeout_seconds = 3"
    with running_service(folder / "service", config, plugins=plugins) as service:
        yield service


@pytest.mark.parametrize("name", BROKEN)
def test_a_plugin_that_cannot_add_its_pages_is_not_used_and_the_log_says_why(
    service: Service, name: str
) -> None:
    for word in (name, f"{name}-too"):
        answer = service.get(f"/{word}/host/guests")
        assert (answer.status, answer.error) == (404, "HypervisorNotFound")
    message = service.get(f"/{name}/host/guests").json["message"]
    assert f"the plugin for {name!r} is installed but could not be loaded" in message
    (line,) = [line for line in service.log.splitlines() if f"not loaded: plugin '{name}' (" in line]
    assert BROKEN[name][1] in line


def test_the_others_are_used_with_their_pages(service: Service) -> None:
    assert service.get("/right/host/guests").status == 200
    assert service.get("/right-too/host/guests").status == 200
    assert service.get("/_right/hello").body == b"hello"
    assert service.get("/healthz").json["status"] == "ok"
    assert BROKEN.keys().isdisjoint(service.get("/").json["hypervisors"])


@pytest.mark.parametrize("path", ["/_exits/here", "/_ambiguous/a", "/_raises/here"])
def test_the_pages_that_a_plugin_added_before_it_failed_are_not_served(service: Service, path: str) -> None:
    answer = service.get(path)
    assert (answer.status, answer.error) == (404, "HypervisorNotFound")
