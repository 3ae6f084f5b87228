"""The vSphere simulator as a command, as somebody would use it who has nothing else of this repository's."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest
from pyVmomi import vim

from project.repository import ROOT
from simulators.tls import make_trust
from simulators.vsphere_tests.clients import Client


@contextlib.contextmanager
def command(*options: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Run the command until the block ends; give the process and what it has printed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "simulators.vsphere", *options],
        env={**os.environ, "PYTHONPATH": str(ROOT / "tests")},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        lines = takewhile(lambda line: line != "ready\n", process.stdout)
        yield process, dict(line.split() for line in lines)
    finally:
        process.kill()
        process.wait(20)
        process.stdout.close()


@contextlib.contextmanager
def logged_in(url: str, ca_file: str, user: str = "administrator@vsphere.local") -> Iterator[Client]:
    """Give a client that trusts an authority."""
    client = Client(int(url.rpartition(":")[2]), ssl.create_default_context(cafile=ca_file))
    try:
        client.log_in(user)
        yield client
    finally:
        client.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_alone_is_a_server_over_tls_until_a_signal_ends_it(number: signal.Signals) -> None:
    with command("--vms", "25") as (process, printed):
        assert printed.keys() == {"server", "leases", "ca"}
        with logged_in(printed["server"], printed["ca"]) as client:
            assert len(client.values(vim.VirtualMachine, "name")) == 25 + 2  # a template, and one in a vApp
            process.send_signal(number)
            assert process.wait(20) == 0
    assert not Path(printed["ca"]).exists(), "what it has made goes with it"


def test_it_may_be_a_lone_host() -> None:
    with (
        command("--esx", "--address", "localhost") as (_, printed),
        logged_in(printed["server"], printed["ca"], "root") as client,
    ):
        assert printed["server"].startswith("https://localhost:")
        assert client.content.about.apiType == "HostAgent"


def test_a_certificate_may_be_kept_or_given(tmp_path: Path) -> None:
    with command("--tls-folder", str(tmp_path / "made")) as (_, printed):
        assert printed["ca"] == str(tmp_path / "made/ca.pem")
        with logged_in(printed["server"], printed["ca"]) as client:
            assert client.content.about.apiType == "VirtualCenter"
    assert (tmp_path / "made/host.pem").stat().st_mode & 0o77 == 0
    trust = make_trust(tmp_path)
    with command("--certificate", str(trust.certificate)) as (_, printed):
        assert printed.keys() == {"server", "leases"}
        with logged_in(printed["server"], str(trust.ca_file)):
            pass


def test_it_may_serve_plain_http() -> None:
    with command("--no-tls") as (_, printed):
        assert printed["server"].startswith("http://")
