"""A simulated XAPI in a process of its own, and XenServer's SDK, which is what ours stands beside."""

import contextlib
import xmlrpc.client
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import XenAPI

from benchmarks.simulated_hosts import SimulatedHost, port_in, running_simulator
from support.xapi import PASSWORD, USER


@dataclass(frozen=True)
class Host(SimulatedHost):
    """A simulated host."""

    HYPERVISOR: ClassVar[str] = "xen"

    def connect(self) -> Any:
        """Return a session of XenServer's SDK, logged in."""
        transport = xmlrpc.client.SafeTransport(context=self.tls)
        session = XenAPI.Session(f"https://127.0.0.1:{self.port}", transport)
        session.xenapi.login_with_password(USER, PASSWORD, "1.0", "benchmarks")
        return session


@contextlib.contextmanager
def xapi(folder: Path, *options: str) -> Iterator[Host]:
    """Run a simulated host until the block ends."""
    with running_simulator("simulators.xapi", folder, *options) as printed:
        yield Host(port_in(printed["master"]), Path(printed["ca"]))


def hang_up(session: Any) -> None:
    """Log a session of the SDK out and close its connection."""
    session.xenapi.session.logout()
    session("close")()
