"""Run the simulator: ``python -m simulators.xapi``."""

import argparse
import contextlib
from datetime import timedelta
from pathlib import Path

from simulators.commands import block_signals, identify, serve_until_signal
from simulators.https import running
from simulators.tls import server_context
from simulators.xapi.server import Server
from simulators.xapi.simulator import Simulator


def main() -> None:
    """Serve until a signal ends it."""
    block_signals()
    parser = _parser()
    options = parser.parse_args()
    simulator = Simulator(
        vms=options.vms,
        latency_seconds=options.latency,
        event_delay_seconds=options.event_delay,
        content_bytes=options.content,
        session_idle=timedelta(seconds=options.session_idle),
        operation_seconds=options.operation_seconds,
        bonds=options.bonds,
        hosts=options.hosts,
        tools=not options.no_tools,
        refuses_busy=options.refuse_busy,
        resizes_online=options.resize_online,
        reverts_disks=options.revert_disks,
    )
    lines: list[str] = []
    with contextlib.ExitStack() as stack:
        identity = identify(parser, options, stack, "xapi-")
        context = None if identity.certificate is None else server_context(identity.certificate)

        def serve(what: str, port: int = 0) -> Server:
            server = Server(simulator, context, (options.address, port), speaks_json=not options.no_json)
            stack.enter_context(running(server))
            lines.append(f"{what} {identity.scheme}://{identity.host}:{server.port}")
            return server

        master = serve("master", options.port)
        if options.slave:
            serve("slave").master_address = f"{identity.host}:{master.port}"
        if options.redirect:
            master.redirect_to = f"{identity.scheme}://{identity.host}:{serve('images').port}"
        serve_until_signal(identity, lines)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulators.xapi",
        description="A simulator of XAPI, over TLS. Users: root, and reader (read-only); password: secret.",
    )
    parser.add_argument("--address", default="127.0.0.1", help="to listen at; by default this machine's own")
    parser.add_argument("--port", type=int, default=0, help="of the master; by default a free one")
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument(
        "--tls-folder", type=Path, help="where ca.pem and host.pem are made; by default a new one, which goes"
    )
    tls.add_argument("--certificate", type=Path, help="PEM file of a certificate and its key, to make none")
    tls.add_argument("--no-tls", action="store_true", help="speak plain HTTP")
    parser.add_argument("--slave", action="store_true", help="another address, which answers HOST_IS_SLAVE")
    parser.add_argument(
        "--redirect",
        action="store_true",
        help="another address, to which the master sends imports and exports",
    )
    parser.add_argument("--vms", type=int, default=3, help="guests to begin with")
    parser.add_argument(
        "--hosts", type=int, default=1, help="hosts of the pool, each with a storage of its own"
    )
    parser.add_argument("--bonds", type=int, default=0, help="bonds of two interfaces each, to begin with")
    parser.add_argument("--content", type=int, default=1024**2, help="bytes on each disk, and in its export")
    parser.add_argument("--latency", type=float, default=0, help="seconds that each call takes at least")
    parser.add_argument(
        "--event-delay",
        type=float,
        default=0.05,
        help="seconds that event.from waits, unless tasks alone are asked for; 0 before XAPI 26.10",
    )
    parser.add_argument(
        "--operation-seconds",
        type=float,
        default=0,
        help="that an operation on a VM takes, in which others wait",
    )
    parser.add_argument("--refuse-busy", action="store_true", help="refuse what would have to wait, at once")
    parser.add_argument("--no-tools", action="store_true", help="start guests without tools")
    parser.add_argument("--resize-online", action="store_true", help="let disks grow that are in use")
    parser.add_argument(
        "--revert-disks",
        action="store_true",
        help="take disks back to snapshots, in place of clones of these",
    )
    parser.add_argument("--no-json", action="store_true", help="speak XML-RPC only, as old XAPIs do")
    parser.add_argument("--session-idle", type=float, default=86_400, help="seconds a session may be idle")
    return parser


if __name__ == "__main__":
    main()
