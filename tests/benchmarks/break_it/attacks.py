"""What is done to a service, one point after the other, and what its client reads."""

import gzip
import http.client
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from support.service import Answer, Service, token
from support.slow_clients import HEAD, SlowClients


class Attack(NamedTuple):
    """One point, as it is tried."""

    what: str
    #: Does it once, and returns what the client reads.
    once: Callable[[Service], str]
    #: What the operator finds after it began, in the log or in the audit: a pattern that no other point fits.
    #: None where nothing shall be there.
    evidence: str | None
    #: How many at a time.
    clients: int = 2
    #: What goes on all the while.
    during: Callable[[Service], AbstractContextManager[object]] = lambda _service: nullcontext()
    #: Whether the service says so when it starts, not when it happens.
    is_logged_at_start: bool = False


def _said(answer: Answer) -> str:
    if answer.status < 400:
        return str(answer.status)
    body = answer.json
    return f"{answer.status} {body['error']}: {body['message']}"


def _tag_of_dots(service: Service) -> str:
    guest = service.get("/mock/demo/guests?fields=id").json[0]["id"]
    made = service.post(f"/mock/demo/guests/{guest}/tags", {"name": ".."})
    collapsed = service.delete(f"/mock/demo/guests/{guest}/")
    there = service.get(f"/mock/demo/guests/{guest}").status
    return f"{_said(made)}; DELETE of the collapsed path: {_said(collapsed)}; the guest afterwards: {there}"


def _get(path: str, **headers: str) -> Callable[[Service], str]:
    return lambda service: _said(service.get(path, headers=headers))


def _labelled_gzip(service: Service) -> str:
    body = gzip.compress(b'{"name": "zipped", "memory": 64}')
    return _said(service.post("/mock/demo/guests", body, headers={"Content-Encoding": "gzip"}))


def _long_copy(service: Service) -> str:
    return _said(service.post("/wild/h/guests/1/clone", {"name": "copy"})) + " after 3 s, with a limit of 2 s"


def _broken_export(service: Service) -> str:
    try:
        return _said(service.get("/wild/h/guests/1/export"))
    except http.client.IncompleteRead as error:
        return f"200, and the response ends early: {len(error.partial)} bytes, no last chunk"


def _broken_session(service: Service) -> str:
    return _said(service.delete("/wild/no-logout/guests/1"))


@contextmanager
def _slow_heads(service: Service) -> Iterator[object]:
    with SlowClients(service.address, 200, HEAD) as clients:
        yield clients


def _slow_reader(service: Service) -> str:
    guests = service.get("/mock/images/guests?fields=id,state").json
    guest = next(found["id"] for found in guests if found["state"] == "STOPPED")
    request = (
        f"GET /mock/images/guests/{guest}/export HTTP/1.1\r\nHost: a\r\n"
        f"X-Simplestack-Hypervisor-Token: {token()}\r\n\r\n"
    )
    with socket.create_connection(service.address, timeout=30) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(request.encode())
        status = connection.recv(12).decode().removeprefix("HTTP/1.1 ")
        for _ in range(40):  # a byte at a time
            time.sleep(0.05)
            connection.recv(1)
    return status


ATTACKS = (
    Attack("1. a tag named ..", _tag_of_dots, r"request \S+ rejected: POST \S+/tags 400 .*"),
    Attack("2. 60 calls of a hook that hangs", _get("/wild/hangs/guests"), r"abandoned guest_list of.*", 60),
    Attack("3. sys.exit in a hook", _get("/wild/h/hosts"), r"SystemExit: in a hook"),
    Attack("3. sys.exit in connect", _get("/wild/exits"), r"SystemExit: in connect"),
    Attack(
        "3. sys.exit at import",
        _get("/exits/h/hosts"),
        r"not loaded: plugin 'exits'.*",
        is_logged_at_start=True,
    ),
    Attack(
        "4. settings=dict", _get("/wrong/h/hosts"), r"not loaded: plugin 'wrong'.*", is_logged_at_start=True
    ),
    Attack("5. a service plugin that forgets the result", _get("/wild/h"), r"service plugin 'forgetful'.*"),
    Attack("6. Guest(id=1, memory='lots')", _get("/wild/h/guests/1"), r"WrongResult: plugin 'wild'.*"),
    Attack("7. a copy longer than the time limit", _long_copy, r'"guest_clone".*"ok".*'),
    Attack("8. a body labelled gzip", _labelled_gzip, r"request \S+ rejected: POST \S+ 415 .*"),
    Attack("8. ?limit=10", _get("/mock/demo/guests?limit=10"), r"request \S+ rejected: GET \S+ 400 .*"),
    Attack(
        "9. 40 calls to a stopped host", _get("/wild/stopped"), r"abandoned a connection to stopped.*", 40
    ),
    Attack("10. a host that takes no logout", _broken_session, r"cannot log out of no-logout.*"),
    Attack("11. 200 slow heads", _get("/mock/demo"), None, during=_slow_heads),  # they never make a request
    Attack("12. 40 slow readers of exports", _slow_reader, r'"images".*"guest_export".*', 40),
    Attack("13. an export that fails midway", _broken_export, r"request \S+ .* broke off after .*"),
)
