"""The service for the tests through HTTP, on a free port of the loopback interface."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import urllib3

from simplestack.config.load import load_configuration

START_SECONDS = 60
STOP_SECONDS = 60


class Service:
    """A running ``simplestack serve`` with one worker, so its health report counts all sessions."""

    def __init__(self, config: Path | None) -> None:
        """Start the service and wait until it responds.

        :raises pytest.UsageError: the settings have a certificate
        :raises RuntimeError: the service does not start; the message has its log
        """
        if load_configuration(config).server.certificate is not None:
            raise pytest.UsageError(
                "--config: remove server.certificate: the kit uses HTTP on the loopback interface"
            )
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        command = [sys.executable, "-m", "simplestack", "serve", "--bind", f"127.0.0.1:{port}", "--workers=1"]
        if config is not None:
            command += ["--config", str(config)]
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  closed in stop()
        # The settings only have hashes of tokens, so the kit cannot send a token.
        environment = {**os.environ, "SIMPLESTACK_SERVER__TOKENS": "{}", "SIMPLESTACK_SERVER__AUDIT": "false"}
        self._process = subprocess.Popen(  # noqa: S603  this very interpreter
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        try:
            self._wait_until_ready()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def stop(self) -> int:
        """Stop the service with SIGTERM, and return its exit status."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            self._log.close()

    def log(self) -> str:
        """Return the log."""
        # pread: the service shares the file position.
        return os.pread(self._log.fileno(), 1024**2, 0).decode(errors="replace")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                urllib3.request("GET", f"{self.url}/healthz", retries=False, timeout=5)
            except urllib3.exceptions.HTTPError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"the service did not start:\n{self.log()}") from None
                time.sleep(0.05)
            else:
                return
