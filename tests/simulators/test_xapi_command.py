"""The simulator as a command, as somebody would use it who has nothing else of this repository's."""

import contextlib
import http.client
import os
import signal
import ssl
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import XenAPI

from project.repository import ROOT
from simulators.refusals import refused
from simulators.tls import make_trust


@contextlib.contextmanager
def command(*options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run the command until the block ends; give the process and what it has printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.xapi", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield (
            process,
            dict(line.split() for line in takewhile(lambda line: line != "ready\n", process.stdout)),
        )
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


@contextlib.contextmanager
def logged_in(url: str, ca_file: str) -> Iterator[Any]:
    """Give a session of XenServer's SDK, which trusts an authority."""
    transport = xmlrpc.client.SafeTransport(context=ssl.create_default_context(cafile=ca_file))
    session = XenAPI.Session(url, transport)
    try:
        session.xenapi.login_with_password("root", "secret", "1.0", "tests")
        yield session
    finally:
        session("close")()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_alone_is_a_server_over_tls_until_a_signal_ends_it(number: signal.Signals) -> None:
    with command("--vms", "25") as (process, printed):
        assert printed.keys() == {"master", "ca"}
        with logged_in(printed["master"], printed["ca"]) as session:
            assert len(session.xenapi.VM.get_all()) == 25 + 3  # the templates and the control domain
            process.send_signal(number)
            assert process.wait(20) == 0
    assert not Path(printed["ca"]).exists(), "what it has made goes with it"


def test_a_client_finds_the_master_through_the_slave() -> None:
    with command("--slave") as (_, printed):
        with pytest.raises(XenAPI.Failure) as raised, logged_in(printed["slave"], printed["ca"]):
            pass
        code, address = raised.value.details
        assert code == "HOST_IS_SLAVE"
        assert printed["master"] == f"https://{address}"
        with logged_in(f"https://{address}", printed["ca"]) as session:
            assert session.xenapi.VM.get_all()


def test_transfers_are_sent_to_another_address() -> None:
    with (
        command("--redirect") as (_, printed),
        logged_in(printed["master"], printed["ca"]) as session,
    ):
        (vm,) = session.xenapi.VM.get_by_name_label("vm-0")
        path = f"/export?session_id={session._session}&ref={vm}"
        status, location, _ = fetch(printed["master"] + path, printed["ca"])
        assert (status, location) == (302, printed["images"] + path)
        status, _, image = fetch(printed["images"] + path, printed["ca"])
        assert (status, len(image) > 1024**2) == (200, True)


def test_a_certificate_may_be_kept_or_given_or_left_out(tmp_path: Path) -> None:
    with command("--tls-folder", str(tmp_path / "made")) as (_, printed):
        assert printed["ca"] == str(tmp_path / "made/ca.pem")
        with logged_in(printed["master"], printed["ca"]) as session:
            assert session.xenapi.VM.get_all()
    assert (tmp_path / "made/host.pem").stat().st_mode & 0o77 == 0
    trust = make_trust(tmp_path)
    with command("--certificate", str(trust.certificate)) as (_, printed):
        assert printed.keys() == {"master"}
        with logged_in(printed["master"], str(trust.ca_file)) as session:
            assert session.xenapi.VM.get_all()
    with command("--no-tls") as (_, printed):
        assert printed.keys() == {"master"}
        with xmlrpc.client.ServerProxy(printed["master"]) as proxy:
            answer: Any = proxy.session.login_with_password("root", "secret", "1.0", "tests")
            assert answer["Status"] == "Success"


def test_a_pool_is_as_the_options_say() -> None:
    with (
        command("--bonds", "2", "--operation-seconds", "0.01", "--address", "localhost") as (_, printed),
        logged_in(printed["master"], printed["ca"]) as session,
    ):
        assert urlsplit(printed["master"]).hostname == "localhost"
        assert len(session.xenapi.Bond.get_all()) == 2
        (vm,) = session.xenapi.VM.get_by_name_label("vm-0")
        session.xenapi.VM.start(vm, False, False)
        assert refused(session.xenapi.VM.start, vm, False, False)[0] == "VM_BAD_POWER_STATE"


def fetch(url: str, ca_file: str) -> tuple[int, str | None, bytes]:
    """Return the status, the place and the body of an answer, and follow nowhere."""
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ca_file)
    client = http.client.HTTPSConnection(parts.netloc, context=context, timeout=20)
    with contextlib.closing(client):
        client.request("GET", f"{parts.path}?{parts.query}")
        answer = client.getresponse()
        return answer.status, answer.getheader("Location"), answer.read()
