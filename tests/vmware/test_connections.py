"""Connections: hosts that break, cannot be trusted, or talk nonsense. tests/core/https has more."""

import socket
import time
from pathlib import Path

import pytest

from simplestack import (
    UNKNOWN_OUTCOME,
    Credentials,
    HypervisorError,
    HypervisorTimeout,
    HypervisorUnavailable,
    SessionExpired,
    Target,
    Unauthorized,
)
from simplestack_vmware import plugin
from simplestack_vmware.hooks.guests import guest_list
from simplestack_vmware.hooks.power import guest_start
from simplestack_vmware.session import check, connect, disconnect
from simplestack_vmware.settings import VmwareSettings, warnings
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simulators.tls import Trust, fingerprint, make_trust
from simulators.vsphere.faults import Rule
from support.peers import answer, peer, read_request
from support.service import running_service, token
from support.vsphere import PASSWORD, Host

from .conftest import Connect

ROOT = Credentials("root", PASSWORD)
IDS = frozenset({"id", "name"})


def settings(trust: Trust, **more: object) -> VmwareSettings:
    return VmwareSettings(tls_ca_file=str(trust.ca_file), **more)  # type: ignore[arg-type]  # a test's own


def at(port: int) -> Target:
    return Target("127.0.0.1", port)


def test_a_certificate_that_is_not_trusted_is_rejected_before_the_password_is_sent(
    vcenter: Host, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stranger = make_trust(tmp_path_factory.mktemp("stranger"))
    for untrusting in (VmwareSettings(), settings(stranger), VmwareSettings(tls_fingerprint="0" * 64)):
        with pytest.raises(HypervisorUnavailable, match="tls_fingerprint"):
            connect(vcenter.target, ROOT, untrusting)
    assert vcenter.calls() == {}


def test_a_fingerprint_is_checked_on_every_connection(vcenter: Host, log_in: Connect) -> None:
    """Pyvmomi checks it on the first one, and then accepts any certificate."""
    found = fingerprint(vcenter.trust.certificate)
    only = VmwareSettings(tls_fingerprint=["0" * 64, found.upper()])
    session = connect(vcenter.target, Credentials(vcenter.user, PASSWORD), only)
    assert guest_list(session, IDS)
    session.api.close()
    assert guest_list(session, IDS)
    disconnect(session)


def test_a_certificate_that_changes_under_a_session_is_rejected(
    vcenter: Host, log_in: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    pinned = VmwareSettings(tls_fingerprint=fingerprint(vcenter.trust.certificate))
    session = connect(vcenter.target, Credentials(vcenter.user, PASSWORD), pinned)
    assert guest_list(session, IDS)
    other = make_trust(tmp_path_factory.mktemp("other"))
    assert vcenter.server.context is not None
    vcenter.server.context.load_cert_chain(other.certificate)
    session.api.close()  # its connections; the session goes on
    vcenter.calls()
    for _ in range(3):
        with pytest.raises(HypervisorUnavailable, match="fingerprint of its certificate"):
            guest_list(session, IDS)
    assert vcenter.calls() == {}


def test_what_an_operator_should_know_is_reported() -> None:
    assert warnings(VmwareSettings()) == []
    assert "tls_verify" in warnings(VmwareSettings(tls_verify=False))[0]
    assert "idle_timeout_seconds" in warnings(VmwareSettings(idle_timeout_seconds=1800))[0]


def test_the_latest_version_that_both_have_is_spoken(vcenter: Host, log_in: Connect) -> None:
    assert log_in(vcenter).api.stub.version == "vim.version.v8_0_3_0"


def test_a_wrong_password_is_401_and_leaves_no_session(vcenter: Host, tmp_path: Path) -> None:
    with running_service(tmp_path, vcenter.toml) as service:
        for user, password in ((vcenter.user, "wrong"), ("nobody", PASSWORD), (vcenter.user, "a\x85b")):
            headers = {"X-Simplestack-Hypervisor-Token": token(user, password)}
            refused = service.get(f"/vmware/{vcenter.name}/guests", headers=headers)
            assert (refused.status, refused.error) == (401, "Unauthorized")
    assert vcenter.simulator.sessions.all() == []


def test_a_session_that_vsphere_has_ended_is_replaced_once(vcenter: Host, tmp_path: Path) -> None:
    with running_service(tmp_path, f"[server]\nworkers = 1\n{vcenter.toml}") as service:
        headers = {"X-Simplestack-Hypervisor-Token": token(vcenter.user, PASSWORD)}
        vm = vcenter.vm()["config.instanceUuid"]
        for path in ("/guests", f"/guests/{vm}", f"/guests/{vm}/tags"):
            vcenter.simulator.sessions.end_all()
            vcenter.calls()
            assert service.get(f"/vmware/{vcenter.name}{path}", headers=headers).status == 200
            assert vcenter.calls()["Login"] == 1
        assert service.stop() == 0
    assert vcenter.simulator.sessions.all() == []


def test_a_session_that_ends_during_an_operation_is_unavailable(
    vcenter: Host, session: VmwareSession
) -> None:
    check(session)
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="end sessions"))
    with pytest.raises(HypervisorUnavailable, match="ended the session before PowerOnVM_Task") as ended:
        guest_start(session, vcenter.vm()["config.instanceUuid"])
    assert not isinstance(ended.value, SessionExpired)
    check(session)
    with pytest.raises(SessionExpired):
        guest_list(session, IDS)


def test_a_read_whose_connection_breaks_is_asked_again(vcenter: Host, session: VmwareSession) -> None:
    session.reader._speaks_json = False
    vcenter.simulator.faults.add(Rule(method="RetrievePropertiesEx", effect="drop after"))
    assert len(guest_list(session, IDS)) == 4
    vcenter.simulator.faults.add(Rule(method="RetrievePropertiesEx", effect="drop before", times=2))
    with pytest.raises(HypervisorUnavailable, match="broke twice"):
        guest_list(session, IDS)


@pytest.mark.parametrize("effect", ["drop before", "drop after"])
def test_a_change_whose_connection_breaks_is_never_sent_again(
    vcenter: Host, session: VmwareSession, effect: str
) -> None:
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect=effect))  # type: ignore[arg-type]  # one of them
    with pytest.raises(HypervisorError, match="PowerOnVM_Task: whether it took effect is unknown") as unknown:
        guest_start(session, vcenter.vm()["config.instanceUuid"])
    assert unknown.value.details["code"] == UNKNOWN_OUTCOME
    assert vcenter.calls()["PowerOnVM_Task"] == 1


def test_a_connection_that_the_host_has_closed_meanwhile_is_made_again(
    vcenter: Host, session: VmwareSession
) -> None:
    *_, kept = session.api._transport.client._idle
    kept.tls.shutdown(socket.SHUT_RDWR)
    guest_start(session, vcenter.vm()["config.instanceUuid"])
    assert vcenter.calls()["PowerOnVM_Task"] == 1


def test_a_host_that_hangs_is_a_time_out(vcenter: Host, log_in: Connect) -> None:
    session = log_in(vcenter, call_timeout_seconds=0.3)
    session.reader._speaks_json = False
    vcenter.simulator.faults.add(Rule(method="RetrievePropertiesEx", effect="hang"))
    with pytest.raises(HypervisorTimeout) as silent:
        guest_list(session, IDS)
    assert "unknown" not in silent.value.message
    vcenter.simulator.faults.add(Rule(method="PowerOnVM_Task", effect="hang"))
    with pytest.raises(HypervisorTimeout, match="whether it took effect is unknown"):
        guest_start(session, vcenter.vm()["config.instanceUuid"])


def test_an_answer_that_trickles_in_does_not_stretch_the_time(trust: Trust) -> None:
    def trickle(connection: socket.socket) -> None:
        connection.recv(65536)  # the list of versions
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            connection.sendall(b" ")
            time.sleep(0.05)  # so that no single wait is long

    with peer(trickle, trust) as port, pytest.raises(HypervisorTimeout):
        connect(at(port), ROOT, settings(trust, call_timeout_seconds=0.5))


NONSENSE = {
    "no XML": b"<<<",
    "nothing": b"",
    "another document": b"<html><body>hello</body></html>",
    "a type that pyvmomi does not know": (
        b'<Envelope><Body><RetrieveServiceContentResponse xmlns="urn:vim25"><returnval><nonsense>1</nonsense>'
        b"</returnval></RetrieveServiceContentResponse></Body></Envelope>"
    ),
}


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("status", ["200 OK", "500 Internal Server Error", "404 Not Found"])
def test_an_answer_that_is_no_soap_is_an_error_of_the_hypervisor(
    trust: Trust, nonsense: str, status: str
) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)  # the list of versions
        connection.sendall(answer(b"", status="404 Not Found"))
        read_request(connection)
        connection.sendall(answer(NONSENSE[nonsense], status=status))

    with peer(script, trust) as port, pytest.raises(HypervisorError):
        connect(at(port), ROOT, settings(trust))


def test_a_host_that_is_starting_is_unavailable(trust: Trust) -> None:
    def script(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(answer(b"", status="503 Service Unavailable"))
        read_request(connection)
        connection.sendall(answer(b"", status="503 Service Unavailable"))

    with peer(script, trust) as port, pytest.raises(HypervisorUnavailable, match="503"):
        connect(at(port), ROOT, settings(trust))


def test_faults_of_types_that_pyvmomi_does_not_know_are_502_with_their_text() -> None:
    error = plugin.translate(Fault("VendorFault", "the array is on fire"))
    assert isinstance(error, HypervisorError)
    assert (error.message, error.details["code"]) == (
        "vSphere failed: VendorFault (the array is on fire)",
        "VendorFault",
    )


def test_a_user_name_that_xml_cannot_contain_is_401(vcenter: Host) -> None:
    with pytest.raises(Unauthorized):
        connect(vcenter.target, Credentials("a\x01b", "x"), vcenter.settings())
    assert vcenter.calls() == {}
