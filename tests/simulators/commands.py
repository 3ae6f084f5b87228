"""What the commands of the simulators have in common: certificates, what they print, and when they end."""

import argparse
import contextlib
import signal
import socket
import tempfile
from pathlib import Path
from typing import NamedTuple

from simulators.tls import Trust, make_trust

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Identity(NamedTuple):
    """Who a server is."""

    #: The name that clients reach it by.
    host: str
    #: With its key; None serves without TLS.
    certificate: Path | None
    #: Of a certificate that was made for it.
    trust: Trust | None

    @property
    def scheme(self) -> str:
        """The scheme of its address."""
        return "http" if self.certificate is None else "https"


def block_signals() -> None:
    """Let the signals that end a command wait for `serve_until_signal`, in all threads that begin later."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)


def identify(
    parser: argparse.ArgumentParser, options: argparse.Namespace, stack: contextlib.ExitStack, prefix: str
) -> Identity:
    """Return who a server is by its options, with a certificate that is made if none is given.

    :param stack: removes the folder of what was made, unless it was given
    :param prefix: of that folder
    """
    every = "0.0.0.0"  # noqa: S104  if asked to
    host = socket.gethostname() if options.address == every else options.address
    if options.certificate is not None or options.no_tls:
        return Identity(host, options.certificate, None)
    folder = options.tls_folder or stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix))
    try:
        trust = make_trust(Path(folder).resolve(), host)
    except ImportError:
        parser.error("trustme, which makes a certificate, is not installed: or use --certificate")
    return Identity(host, trust.certificate, trust)


def serve_until_signal(identity: Identity, lines: list[str]) -> None:
    """Print what the caller must know, and wait for a signal.

    :param lines: with the addresses
    """
    if identity.trust is not None:
        lines = [*lines, f"ca {identity.trust.ca_file}"]
    print("\n".join([*lines, "ready"]), flush=True)  # noqa: T201  whoever started it reads it
    signal.sigwait(_SIGNALS)
