"""Calls that fail: what their hooks held is let go at once, with no garbage collection."""

from collections.abc import Iterator
from contextlib import suppress
from http.client import IncompleteRead
from pathlib import Path

import pytest

from support.distributions import install
from support.service import Service, running_service, wait_for

PLUGIN = """
from pathlib import Path
import gc, os
folder = Path(os.environ["HELD_FOLDER"])
gc.disable()

class Handle:
    def __init__(self, name):
        self.name = name
        (folder / f"held-{{name}}").touch()

    def __del__(self):
        (folder / f"freed-{{self.name}}").touch()

def connect(target, credentials, settings):
    if target.name == "closed":
        handle = Handle("connect")
        raise HypervisorUnavailable("closed")

@hookimpl
def guest_info(session, guest_id):
    handle = Handle("own")
    raise EntityNotFound("Guest", guest_id)

@hookimpl
def guest_delete(session, guest_id):
    handle = Handle("sdk")
    error = LookupError("an error of the SDK's")
    raise error  # a cycle: the error's frame has a variable that refers to it

@hookimpl
def guest_export(session, guest_id):
    def chunks():
        handle = Handle("stream")
        yield b"x"
        error = LookupError("an error of the SDK's")
        raise error
    return Export(chunks())

def translate(error):
    return Conflict("translated") if isinstance(error, LookupError) else None

plugin = HypervisorPlugin(name="fails", title="Fails", connect=connect, disconnect=lambda session: None,
                          hooks=(me,), translate=translate, settings=HypervisorSettings,
                          enforces_time_limits={enforces})
"""


@pytest.fixture(params=[True, False], ids=["in the request's thread", "in a thread of its own"])
def service(request: pytest.FixtureRequest, tmp_path: Path, plugins: Path) -> Iterator[Service]:
    install(plugins, "fails", PLUGIN.format(enforces=request.param))
    with running_service(tmp_path, plugins=plugins, environment={"HELD_FOLDER": str(tmp_path)}) as made:
        yield made


@pytest.mark.parametrize(
    ("handle", "method", "path"),
    [
        ("own", "GET", "h/guests/1"),
        ("sdk", "DELETE", "h/guests/1"),
        ("connect", "GET", "closed/guests/1"),
        ("stream", "GET", "h/guests/1/export"),
    ],
)
def test_a_call_that_fails_lets_go_of_what_it_held(
    service: Service, tmp_path: Path, handle: str, method: str, path: str
) -> None:
    with suppress(IncompleteRead):  # of the export that ends early
        service.request(method, f"/fails/{path}")
    assert (tmp_path / f"held-{handle}").exists()
    wait_for((tmp_path / f"freed-{handle}").exists, 10, "the handle to be let go")
