"""What service plugins make of a result is checked too, before the audit says that all went well."""

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from textwrap import indent

import pytest

from support.distributions import install
from support.service import Answer, Service, running_service, token, wait_for

SERVICE = """
from msgspec.structs import replace

@hookimpl(wrapper=True)
def operation_call(operation, arguments, context):
{body}

plugin = ServicePlugin(name="{name}", title="T", make=lambda settings: me)
"""
PASSING = "return (yield)"
Start = Callable[..., AbstractContextManager[Service]]


@pytest.fixture
def start(tmp_path: Path) -> Start:
    """Start a service with service plugins, given by name with the bodies of their wrappers."""

    def started(**bodies: str) -> AbstractContextManager[Service]:
        for name, body in bodies.items():
            source = SERVICE.format(name=name, body=indent(body, "    "))
            install(tmp_path / "plugins", name, source, "simplestack.services")
        return running_service(tmp_path / "service", plugins=tmp_path / "plugins")

    return started


def check_defect(service: Service, path: str, fault: str) -> Answer:
    """Check that a GET is 500, with the details in the log only, and that the audit knows."""
    answer = service.get(path)
    identity = answer.headers["x-request-id"]
    assert (answer.status, answer.error) == (500, "InternalError"), answer
    assert f"{fault}\n" in service.log.partition(f"request {identity} failed")[2]
    assert service.audit_of(identity)["outcome"] == "InternalError"
    assert service.get("/healthz").json["busy_sessions"] == 0
    return answer


def a_stopped_guest(service: Service) -> str:
    """Return the path of a guest that can be exported."""
    found = next(guest for guest in service.get("/mock/demo/guests").json if guest["state"] == "STOPPED")
    return f"/mock/demo/guests/{found['id']}"


def test_a_service_that_forgets_to_return_the_result_is_named(start: Start) -> None:
    with start(forgetful="yield") as service:
        whose = "service plugin 'forgetful' (end its wrapper with `return (yield)`)"
        for path, result in (
            ("", "pool_info returned NoneType, expected Pool"),
            ("/guests", "guest_list returned NoneType, expected list[Guest]"),
        ):
            check_defect(service, f"/mock/demo{path}", f"WrongResult: {whose}: {result}")
        assert service.get("/mock/demo/guests/42").error == "EntityNotFound"


def test_a_service_may_forget_it_where_nothing_is_returned(start: Start) -> None:
    with start(forgetful="result = yield\nif result is not None:\n    return result") as service:
        made = service.post("/mock/demo/guests", {"name": "made", "memory": 64})
        assert service.delete(made.headers["location"]).status == 204


def test_the_service_that_spoilt_a_result_is_named_and_not_those_around_it(start: Start) -> None:
    spoil = (
        "result = yield\nif operation != 'guest_list':\n    return result\n"
        "return [replace(result[0], memory='')]"
    )
    for name in ("before", "middle", "zz"):
        others = dict.fromkeys(("before", "middle", "zz"), PASSING)
        with start(**{**others, name: spoil}) as service:
            wrong = "guest_list returned list with a wrong item: [0].memory: expected `int | null`, got `str`"
            check_defect(service, "/mock/demo/guests", f"WrongResult: service plugin {name!r}: {wrong}")
            assert service.get("/mock/demo").status == 200


def test_a_service_may_return_another_result_of_the_same_type(start: Start) -> None:
    shorten = "result = yield\nreturn result[:1] if operation == 'guest_list' else result"
    with start(passing=PASSING, shorten=shorten) as service:
        assert len(service.get("/mock/demo/guests").json) == 1
        assert len(service.get("/mock/demo/networks").json) > 1


def test_a_service_that_swallows_an_error_needs_a_result_of_its_own(start: Start) -> None:
    with start(swallow="try:\n    return (yield)\nexcept EntityNotFound:\n    return None") as service:
        whose = "service plugin 'swallow' (end its wrapper with `return (yield)`)"
        check_defect(
            service,
            "/mock/demo/guests/42",
            f"WrongResult: {whose}: guest_info returned NoneType, expected Guest",
        )
        assert service.get(a_stopped_guest(service)).status == 200


def test_a_service_may_raise_another_error_than_it_got(start: Start) -> None:
    deny = "try:\n    return (yield)\nexcept EntityNotFound:\n    raise PermissionDenied('no') from None"
    with start(deny=deny, passing=PASSING) as service:
        answer = service.get("/mock/demo/guests/42")
        assert (answer.status, answer.error) == (403, "PermissionDenied")
        assert service.audit_of(answer.headers["x-request-id"])["outcome"] == "PermissionDenied"


@pytest.mark.parametrize(
    ("end", "fault"),
    [
        ("return None", "guest_export returned NoneType, expected Export"),
        ("return Export(7)", "chunks: expected an iterator of `bytes`, got `int`"),
        ("raise KeyError(operation)", "KeyError: 'guest_export'"),
    ],
)
def test_an_export_that_a_service_loses_is_closed_and_its_session_given_back(
    start: Start, end: str, fault: str
) -> None:
    lose = f"result = yield\nif operation != 'guest_export':\n    return result\n{end}"
    with start(lose=lose, passing=PASSING) as service:
        check_defect(service, f"{a_stopped_guest(service)}/export", fault)


def test_a_service_may_wrap_the_chunks_of_an_export(start: Start) -> None:
    upper = (
        "result = yield\nif operation != 'guest_export':\n    return result\n"
        "return Export(map(bytes.upper, result.chunks), result.size)"
    )
    with start(passing=PASSING, upper=upper) as service:
        exported = service.get(f"{a_stopped_guest(service)}/export")
        assert exported.status == 200
        assert exported.body
        assert exported.body == exported.body.upper()


@pytest.mark.parametrize(
    ("name", "body", "fault"),
    [
        ("twice", "result = yield\nyield\nreturn result", "has second yield"),
        ("never", "if operation == 'pool_info':\n    return (yield)", "did not yield"),
    ],
)
def test_a_service_that_does_not_yield_once_is_a_defect_with_its_place_in_the_log(
    start: Start, name: str, body: str, fault: str
) -> None:
    with start(**{name: body, "passing": PASSING}) as service:
        answer = service.get("/mock/demo/guests", headers={"X-Request-Id": "y-1"})
        assert (answer.status, answer.error) == (500, "InternalError")
        assert fault in service.log.partition("request y-1 failed")[2]
        assert service.audit_of("y-1")["outcome"] == "InternalError"
        assert service.get("/healthz").json["busy_sessions"] == 0


def test_an_export_that_a_service_yields_chunk_by_chunk_is_closed(start: Start) -> None:
    body = (
        "result = yield\nif operation != 'guest_export':\n    return result\n"
        "for chunk in result.chunks:\n    yield chunk"
    )
    with start(twice=body, passing=PASSING) as service:
        path = f"{a_stopped_guest(service)}/export"
        for _ in range(2):
            answer = service.get(path)
            assert (answer.status, answer.error) == (500, "InternalError")
            assert service.audit_of(answer.headers["x-request-id"])["outcome"] == "InternalError"
            assert service.get("/healthz").json["busy_sessions"] == 0
        assert "has second yield" in service.log
        assert "Exception ignored" not in service.log


@pytest.mark.parametrize("leaves", [False, True])
def test_an_export_that_a_service_wraps_gives_its_session_back(start: Start, *, leaves: bool) -> None:
    upper = (
        "result = yield\nif operation != 'guest_export':\n    return result\n"
        "return Export(map(bytes.upper, result.chunks), result.size)"
    )
    with start(upper=upper) as service:
        path = f"{a_stopped_guest(service)}/export"
        if leaves:
            with socket.create_connection(service.address) as connection:
                request = (
                    f"GET {path} HTTP/1.1\r\nHost: a\r\nX-Simplestack-Hypervisor-Token: {token()}\r\n\r\n"
                )
                connection.sendall(request.encode())
                assert connection.recv(100)
        else:
            assert service.get(path).status == 200
        wait_for(lambda: service.get("/healthz").json["busy_sessions"] == 0, what="the session")


def test_a_service_may_be_the_innermost_and_take_few_arguments(tmp_path: Path) -> None:
    source = """
        seen = []
        @hookimpl(wrapper=True{innermost})
        def operation_call({arguments}):
            print("wrapper {name}", file=sys.stderr, flush=True)
            return (yield)
        plugin = ServicePlugin(name="{name}", title="T", make=lambda settings: me)
    """
    for name, innermost, arguments in (
        ("first", "", "context"),
        ("second", ", trylast=True", "operation"),
        ("third", "", ""),
    ):
        text = source.format(name=name, innermost=innermost, arguments=arguments)
        install(tmp_path / "plugins", name, text, "simplestack.services")
    with running_service(tmp_path / "service", plugins=tmp_path / "plugins") as service:
        assert service.get("/mock/demo/guests").status == 200
        called = [line.split()[1] for line in service.log.splitlines() if line.startswith("wrapper ")]
    assert called == ["third", "first", "second"]
