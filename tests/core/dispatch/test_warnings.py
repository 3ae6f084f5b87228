"""Warnings: what an operation that succeeds left undone reaches the client and the audit, and only theirs."""

import http.client
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

import pytest

from simplestack import Storage, warn
from support.dispatching import Hypervisor
from support.distributions import install
from support.service import Service, running_service, wait_for

HEADER = "x-simplestack-warning"
PLUGIN = """
def connect(target, credentials, settings):
    return object()

def disconnect(session):
    pass

@hookimpl
def guest_delete(session, guest_id):
    if guest_id not in ("plain", "surrogate"):
        for name in guest_id.split(","):
            warn(f"volume {name} stays: 100 % in use")
    if guest_id == "surrogate":
        warn("file \\udcff of\\ntwo lines stays")
    if guest_id == "hangs":
        print("began to hang", file=sys.stderr, flush=True)
        threading.Event().wait(60)
    if guest_id == "fails":
        raise Conflict("cannot be deleted")

@hookimpl
def guest_export(session, guest_id):
    warn("disk vdb is left out")
    return Export(iter([b"image"]), 5)

plugin = HypervisorPlugin(name="forgetful", title="F", connect=connect, disconnect=disconnect, hooks=(me,),
                          settings=HypervisorSettings)
"""


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder, plugins = tmp_path_factory.mktemp("service"), tmp_path_factory.mktemp("plugins")
    install(plugins, "forgetful", PLUGIN)
    with running_service(folder, "[server]\nworkers = 1\nthreads = 2\n", plugins=plugins) as service:
        yield service


def test_a_warning_is_in_the_response_and_in_the_audit(forgetful: Service) -> None:
    answer = forgetful.delete("/forgetful/h/guests/a,b%C3%A4%E2%82%AC", headers={"X-Request-Id": "w-1"})
    assert answer.status == 204
    expected = ["volume a stays: 100 % in use", "volume bä€ stays: 100 % in use"]
    assert answer.headers[HEADER].isascii()
    assert unquote(answer.headers[HEADER]) == "; ".join(expected)
    assert forgetful.audit_of("w-1")["warnings"] == expected


def test_the_next_request_does_not_get_the_warnings_of_the_one_before(forgetful: Service) -> None:
    for number in range(8):  # more than there are threads
        assert HEADER in forgetful.delete("/forgetful/h/guests/one").headers
        plain = forgetful.delete("/forgetful/h/guests/plain", headers={"X-Request-Id": f"plain-{number}"})
        assert HEADER not in plain.headers
        assert "warnings" not in forgetful.audit_of(f"plain-{number}")


def test_an_operation_that_fails_after_a_warning_has_it_in_the_audit(forgetful: Service) -> None:
    answer = forgetful.delete("/forgetful/h/guests/fails", headers={"X-Request-Id": "w-2"})
    assert answer.error == "Conflict"
    assert forgetful.audit_of("w-2")["warnings"] == ["volume fails stays: 100 % in use"]


def test_an_export_has_its_warnings_too(forgetful: Service) -> None:
    answer = forgetful.get("/forgetful/h/guests/x/export", headers={"X-Request-Id": "w-3"})
    assert (answer.body, answer.headers[HEADER]) == (b"image", "disk vdb is left out")
    assert forgetful.audit_of("w-3")["warnings"] == ["disk vdb is left out"]


def test_a_name_cannot_make_warnings_of_its_own(forgetful: Service) -> None:
    answer = forgetful.delete("/forgetful/h/guests/a;%20the%20guest%20is%20gone,b")
    first, second = answer.headers[HEADER].split("; ")
    assert unquote(first) == "volume a; the guest is gone stays: 100 % in use"
    assert unquote(second) == "volume b stays: 100 % in use"


def test_a_text_that_json_cannot_have_ends_no_operation(forgetful: Service) -> None:
    answer = forgetful.delete("/forgetful/h/guests/surrogate", headers={"X-Request-Id": "w-5"})
    assert answer.status == 204
    assert forgetful.audit_of("w-5")["warnings"] == ["file ? of two lines stays"]


def test_what_a_stop_cuts_off_has_its_warnings_in_the_audit(tmp_path: Path, plugins: Path) -> None:
    install(plugins, "forgetful", PLUGIN)
    config = "[server]\nworkers = 1\ngraceful_timeout_seconds = 1\n"
    with running_service(tmp_path, config, plugins=plugins) as service, ThreadPoolExecutor(1) as threads:
        cut_off = threads.submit(service.delete, "/forgetful/h/guests/hangs", headers={"X-Request-Id": "w-6"})
        wait_for(lambda: "began to hang" in service.log)
        service.stop()
        with suppress(OSError, http.client.HTTPException):
            cut_off.result()
        line = service.audit_of("w-6")
    assert (line["outcome"], line["warnings"]) == ("ServiceStopped", ["volume hangs stays: 100 % in use"])


def test_many_warnings_make_no_header_that_a_proxy_would_reject(forgetful: Service) -> None:
    names = ",".join(f"ä{number}" for number in range(100))
    answer = forgetful.delete(
        f"/forgetful/h/guests/{names.replace('ä', '%C3%A4')}", headers={"X-Request-Id": "w-4"}
    )
    assert answer.status == 204
    assert 2000 < len(answer.headers[HEADER]) < 4000
    assert answer.headers[HEADER].endswith("... (the audit log has the rest)")
    assert len(forgetful.audit_of("w-4")["warnings"]) == 100


def test_in_a_script_a_warning_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def storage_list(session: object) -> list[Storage]:
        warn("storage nfs1 does not answer")
        return []

    with caplog.at_level(logging.WARNING, "simplestack.dispatch"):
        assert Hypervisor(storage_list).call("storage_list") == []
    assert "storage nfs1 does not answer" in caplog.text
