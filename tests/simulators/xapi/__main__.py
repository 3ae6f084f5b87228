"""Run the simulator: ``python -m simulators.xapi --certificate server.pem``."""

import argparse
import ssl
import sys
from datetime import timedelta
from pathlib import Path

from simulators.xapi.server import Server, server_context
from simulators.xapi.simulator import Simulator


def main() -> None:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(
        prog="simulators.xapi",
        description="A simulator of XAPI. It begins with users root and reader (read-only), password secret.",
    )
    parser.add_argument("--port", type=int, default=0, help="by default a free one, which it prints")
    parser.add_argument(
        "--certificate", type=Path, help="PEM file of the certificate and its key; else no TLS"
    )
    parser.add_argument("--vms", type=int, default=3, help="guests to begin with")
    parser.add_argument("--latency", type=float, default=0, help="seconds that each call takes at least")
    parser.add_argument("--content", type=int, default=1024**2, help="bytes on each disk, and in its export")
    parser.add_argument("--no-json", action="store_true", help="speak XML-RPC only, as old XAPIs do")
    parser.add_argument("--session-idle", type=float, default=86_400, help="seconds a session may be idle")
    options = parser.parse_args()
    simulator = Simulator(
        vms=options.vms,
        latency_seconds=options.latency,
        content_bytes=options.content,
        session_idle=timedelta(seconds=options.session_idle),
    )
    context: ssl.SSLContext | None = None
    if options.certificate is not None:
        context = server_context(options.certificate)
    server = Server(simulator, context, ("127.0.0.1", options.port), speaks_json=not options.no_json)
    scheme = "http" if context is None else "https"
    print(f"{scheme}://127.0.0.1:{server.port}", flush=True)  # noqa: T201  whoever started it reads it
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        sys.exit(0)


if __name__ == "__main__":
    main()
