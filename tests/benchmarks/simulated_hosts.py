"""Simulated hypervisors in processes of their own."""

import contextlib
import json
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class SimulatedHost:
    """A simulated host, as clients and a service reach it."""

    #: Of the plugin.
    HYPERVISOR: ClassVar[str]

    port: int
    ca_file: Path

    @property
    def place(self) -> str:
        """Its part of a path."""
        return f"127.0.0.1%3A{self.port}"

    @property
    def toml(self) -> str:
        """Settings of a service that reaches it."""
        section = f"[hypervisors.{self.HYPERVISOR}]"
        return f'{section}\nallowed_hosts = ["127.0.0.1"]\ntls_ca_file = "{self.ca_file}"\n'

    @property
    def tls(self) -> ssl.SSLContext:
        """How clients verify its certificate."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def counts(self) -> dict[str, int]:
        """Return the calls since they were last forgotten, by name."""
        found: dict[str, int] = json.loads(self._counts("GET"))
        return found

    def forget_counts(self) -> None:
        """Count calls from now on."""
        self._counts("DELETE")

    def _counts(self, method: str) -> bytes:
        request = urllib.request.Request(f"https://127.0.0.1:{self.port}/simulator/counts", method=method)
        with urllib.request.urlopen(request, timeout=20, context=self.tls) as response:  # noqa: S310  https
            body: bytes = response.read()
        return body


@contextlib.contextmanager
def running_simulator(module: str, folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """Run a simulator until the block ends.

    :param module: such as ``simulators.xapi``
    :param folder: for its certificates
    :return: the lines that it prints before it is ready: names and values
    """
    command = [sys.executable, "-m", module, "--tls-folder", str(folder), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise AssertionError("it was asked for")
    try:
        yield dict(line.split() for line in takewhile(lambda line: line != "ready\n", process.stdout))
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def port_in(url: str) -> int:
    """Return the port in a URL that a simulator prints."""
    return int(url.rpartition(":")[2])
