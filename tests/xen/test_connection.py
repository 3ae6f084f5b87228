"""Connections: hosts that break, cannot be trusted, or talk nonsense. tests/core/https has more."""

import re
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from simplestack import (
    UNKNOWN_OUTCOME,
    Credentials,
    EntityNotFound,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    Target,
)
from simplestack_xen.hooks.guests import guest_info, guest_list
from simplestack_xen.hooks.tags import tag_create
from simplestack_xen.session import connect
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.session import XenSession
from simulators.tls import fingerprint
from support.peers import answer, peer, read_request, says
from support.xapi import PASSWORD, USER, Pool, Trust, running_pool

from .conftest import Connect

ROOT = Credentials(USER, PASSWORD)
LOGIN = (
    b"<methodResponse><params><param><value><struct><member><name>Status</name><value>Success</value></member>"
    b"<member><name>Value</name><value>OpaqueRef:session</value></member></struct></value></param></params>"
    b"</methodResponse>"
)
LOGGED_IN = answer(LOGIN)


def settings(trust: Trust, **more: object) -> XenSettings:
    return XenSettings(tls_ca_file=str(trust.ca_file), **more)  # type: ignore[arg-type]  # a test's own


def at(port: int) -> Target:
    return Target("127.0.0.1", port)


def test_a_certificate_that_nobody_vouches_for_is_refused_before_the_password_is_sent(pool: Pool) -> None:
    with pytest.raises(HypervisorUnavailable) as refused:
        connect(pool.target, ROOT, XenSettings())
    assert "tls_ca_file" in refused.value.message
    assert sum(pool.simulator.counts.values()) == 0


def test_a_fingerprint_vouches_for_a_certificate_and_for_no_other(pool: Pool) -> None:
    found = fingerprint(pool.trust.certificate)
    session = connect(pool.target, ROOT, XenSettings(tls_fingerprint=found.upper()))
    assert guest_list(session, frozenset({"id"}))
    session.api.log_out()
    connect(pool.target, ROOT, XenSettings(tls_fingerprint=["0" * 64, found])).api.log_out()
    for wrong in ("0" * 64, ["0" * 64], []):
        with pytest.raises(HypervisorUnavailable) as refused:
            connect(pool.target, ROOT, XenSettings(tls_fingerprint=wrong))
        assert found in refused.value.message
    assert pool.simulator.counts["session.login_with_password"] == 2


def test_a_read_whose_connection_breaks_is_asked_again(
    pool: Pool, session: XenSession, order: Callable[..., None]
) -> None:
    order(pool, "VM.get_record", effect="drop after")
    assert guest_info(session, pool.vm()["uuid"]).name == "vm-0"
    assert pool.simulator.counts["VM.get_record"] == 2


def test_a_read_whose_connection_breaks_twice_is_unavailable(
    pool: Pool, session: XenSession, order: Callable[..., None]
) -> None:
    order(pool, "VM.get_record", effect="drop before", times=2)
    with pytest.raises(HypervisorUnavailable):
        guest_info(session, pool.vm()["uuid"])
    assert guest_info(session, pool.vm()["uuid"]).name == "vm-0"


@pytest.mark.parametrize("effect", ["drop before", "drop after"])
def test_a_change_whose_connection_breaks_is_never_sent_again(
    pool: Pool, session: XenSession, order: Callable[..., None], effect: str
) -> None:
    message = "Async.VM.start"
    order(pool, message, effect=effect)
    with pytest.raises(HypervisorError) as unknown:
        session.tasks.run.VM.start(pool.vm().ref, False, False)
    assert unknown.value.details["code"] == UNKNOWN_OUTCOME
    assert "VM.start" in unknown.value.message
    assert "unknown" in unknown.value.message
    assert pool.simulator.counts[message] == 1


def test_a_connection_that_the_host_has_closed_meanwhile_is_made_again(trust: Trust, log_in: Connect) -> None:
    with running_pool(trust) as pool:
        session = log_in(pool)
        session.xenapi.VM.add_tags(pool.vm().ref, "web")
        session.api._client._idle[0].tls.shutdown(socket.SHUT_RDWR)
        session.xenapi.VM.add_tags(pool.vm().ref, "blue")
        assert pool.vm()["tags"] == ["web", "blue"]


def test_a_host_that_hangs_is_a_time_out_and_the_outcome_of_a_change_unknown(
    pool: Pool, log_in: Connect, order: Callable[..., None]
) -> None:
    session = log_in(pool, call_timeout_seconds=0.3)
    order(pool, "VM.get_by_uuid", effect="hang")
    with pytest.raises(HypervisorTimeout) as silent:
        guest_info(session, pool.vm()["uuid"])
    assert "unknown" not in silent.value.message
    order(pool, "VM.add_tags", effect="hang")
    with pytest.raises(HypervisorTimeout) as unknown:
        session.xenapi.VM.add_tags(pool.vm().ref, "web")
    assert "unknown" in unknown.value.message


def test_an_answer_that_trickles_in_does_not_stretch_the_time(trust: Trust) -> None:
    def trickle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(LOGGED_IN)
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)  # so that no single wait is long

    with peer(trickle, trust) as port:
        session = connect(at(port), ROOT, settings(trust, call_timeout_seconds=0.5))
        with pytest.raises(HypervisorTimeout):
            session.xenapi.VM.add_tags("OpaqueRef:1", "web")
        session.api._client.close()


NONSENSE = {
    "no XML": b"<<<",
    "another document": b"<html><body>hello</body></html>",
    "a number": b"<methodResponse><params><param><value><int>1</int></value></param></params>"
    b"</methodResponse>",
    "a fault": (
        b"<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>1</int></value>"
        b"</member></struct></value></fault></methodResponse>"
    ),
    "no integer": b"<methodResponse><value><int>x</int></value></methodResponse>",
    "a name without a struct": b"<methodResponse><name>x</name></methodResponse>",
    "nothing": b"",
}


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_an_answer_that_is_no_xml_rpc_is_an_error_of_the_hypervisor(trust: Trust, nonsense: str) -> None:
    with peer(says(answer(NONSENSE[nonsense])), trust) as port, pytest.raises(HypervisorError) as failed:
        connect(at(port), ROOT, settings(trust))
    assert "XAPI returned" in failed.value.message


def test_an_answer_with_a_document_type_is_not_read_whatever_it_says(trust: Trust) -> None:
    entity = b'<!DOCTYPE x [<!ENTITY session "OpaqueRef:session">]>'
    text = entity + LOGIN.replace(b"OpaqueRef:session", b"&session;")
    with peer(says(answer(text)), trust) as port, pytest.raises(HypervisorError) as failed:
        connect(at(port), ROOT, settings(trust))
    assert "document type" in failed.value.message


def test_a_session_that_is_no_text_is_an_error_of_the_hypervisor(trust: Trust) -> None:
    login = answer(LOGIN.replace(b"OpaqueRef:session", b"<array><data/></array>"))
    with peer(says(login), trust) as port, pytest.raises(HypervisorError) as failed:
        connect(at(port), ROOT, settings(trust))
    assert "XAPI returned a session" in failed.value.message


def test_a_session_that_is_refused_as_it_begins_is_unavailable(
    pool: Pool, order: Callable[..., None]
) -> None:
    order(pool, "session.login_with_password", code="SESSION_INVALID")
    with pytest.raises(HypervisorUnavailable, match="XAPI ended the session"):
        connect(pool.target, ROOT, pool.settings())
    assert pool.simulator.counts["session.login_with_password"] == 1


def test_an_http_error_is_an_error_of_the_hypervisor(trust: Trust) -> None:
    page = answer(b"<html/>", "text/html", "500 OpaqueRef:secret")
    with peer(says(page), trust) as port, pytest.raises(HypervisorError) as failed:
        connect(at(port), ROOT, settings(trust))
    assert "HTTP status 500" in failed.value.message
    assert "OpaqueRef" not in failed.value.message


@pytest.fixture(params=[b"{", b"[]", b'{"jsonrpc": "2.0", "id": 1}', b'{"result": {"uuid": []}}', b"\xff"])
def odd_host(trust: Trust, request: pytest.FixtureRequest) -> Iterator[int]:
    """Give the port of a host that logs anybody in, and then speaks odd JSON."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(LOGGED_IN)
        while True:
            read_request(connection)
            connection.sendall(answer(request.param, "application/json"))

    with peer(script, trust) as port:
        yield port


def test_an_answer_that_is_no_json_rpc_is_an_error_of_the_hypervisor(
    trust: Trust, odd_host: int, caplog: pytest.LogCaptureFixture
) -> None:
    session = connect(at(odd_host), ROOT, settings(trust))
    with pytest.raises(HypervisorError) as failed:
        guest_list(session, frozenset({"id"}))
    assert "XAPI returned" in failed.value.message
    assert not re.search("`|JSON is|truncated|codec", failed.value.message), "a library's words"
    if "the service's log says" in failed.value.message:
        assert "cannot be read: " in caplog.text
    session.api._client.close()


def test_a_refusal_in_the_form_of_json_rpc_1_is_a_refusal(trust: Trust) -> None:
    """XAPIs of before 2017 have no other, and later ones do so where they did not look at the request."""

    def script(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(LOGGED_IN)
        while True:
            read_request(connection)
            refusal = b'{"result": null, "error": ["UUID_INVALID", "VM", "x"], "id": 1}'
            connection.sendall(answer(refusal, "application/json"))

    with peer(script, trust) as port:
        session = connect(at(port), ROOT, settings(trust))
        with pytest.raises(EntityNotFound):
            guest_info(session, "00000000-0000-4000-8000-000000000000")
        session.api._client.close()


def test_an_answer_that_breaks_off_in_the_middle_is_asked_for_again_once(trust: Trust) -> None:
    asked = []

    def script(connection: socket.socket) -> None:
        while True:
            if b"login" in read_request(connection):
                connection.sendall(LOGGED_IN)
                continue
            asked.append(1)
            connection.sendall(answer(b'{"result": {}}', "application/json")[:-5])
            return

    with peer(script, trust) as port:
        session = connect(at(port), ROOT, settings(trust))
        with pytest.raises(HypervisorUnavailable):
            guest_list(session, frozenset({"id"}))
        session.api._client.close()
    assert len(asked) == 2


def test_a_refusal_leaves_the_connection_in_use(pool: Pool, session: XenSession) -> None:
    tag_create(session, pool.vm()["uuid"], "web")
    before = list(session.api._client._idle)
    for _ in range(3):
        with pytest.raises(Exception, match="HANDLE_INVALID"):
            session.xenapi.VM.add_tags("OpaqueRef:nothing", "web")
    tag_create(session, pool.vm()["uuid"], "blue")
    assert session.api._client._idle == before
