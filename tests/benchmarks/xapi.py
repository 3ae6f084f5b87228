"""A simulated XAPI in a process of its own, and XenServer's SDK, which is what ours stands beside."""

import contextlib
import ssl
import subprocess
import sys
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import XenAPI

from support.xapi import PASSWORD, USER


@dataclass(frozen=True)
class Host:
    """A simulated host."""

    port: int
    ca_file: Path

    @property
    def place(self) -> str:
        """Its part of a path."""
        return f"127.0.0.1%3A{self.port}"

    @property
    def toml(self) -> str:
        """Settings of a service that reaches it."""
        return f'[hypervisors.xen]\nallowed_hosts = ["127.0.0.1"]\ntls_ca_file = "{self.ca_file}"\n'

    def connect(self) -> Any:
        """Return a session of XenServer's SDK, logged in."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        transport = xmlrpc.client.SafeTransport(context=context)
        session = XenAPI.Session(f"https://127.0.0.1:{self.port}", transport)
        session.xenapi.login_with_password(USER, PASSWORD, "1.0", "benchmarks")
        return session


@contextlib.contextmanager
def xapi(folder: Path, *options: str) -> Iterator[Host]:
    """Run a simulated host until the block ends."""
    command = [sys.executable, "-m", "simulators.xapi", "--tls-folder", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise AssertionError("it was asked for")
    try:
        lines = dict(line.split() for line in takewhile(lambda line: line != "ready\n", process.stdout))
        yield Host(int(lines["master"].rpartition(":")[2]), Path(lines["ca"]))
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def hang_up(session: Any) -> None:
    """Log a session of the SDK out and close its connection."""
    session.xenapi.session.logout()
    session("close")()
