"""Run the simulator: ``python -m simulators.vsphere``."""

import argparse
import contextlib
from datetime import timedelta
from pathlib import Path

import msgspec

from simulators.commands import Identity, block_signals, identify, serve_until_signal
from simulators.https import HttpsServer, running
from simulators.tls import make_trust, server_context, thumbprint
from simulators.vsphere.nfc_server import NfcServer
from simulators.vsphere.products import ESXI, VCENTER
from simulators.vsphere.server import Server
from simulators.vsphere.simulator import Simulator


def main() -> None:
    """Serve until a signal ends it."""
    block_signals()
    parser = _parser()
    options = parser.parse_args()
    product = ESXI if options.esx else VCENTER
    if options.no_json:
        product = msgspec.structs.replace(product, speaks_json=False)
    simulator = Simulator(
        product,
        vms=options.vms,
        latency_seconds=options.latency,
        task_seconds=options.task_seconds,
        session_idle=timedelta(seconds=options.session_idle),
    )
    with contextlib.ExitStack() as stack:
        identity = identify(parser, options, stack, "vsphere-")
        context = None if identity.certificate is None else server_context(identity.certificate)
        servers: dict[str, HttpsServer] = {
            "server": Server(simulator, context, (options.address, options.port)),
            "leases": _lease_server(simulator, options, identity),
        }
        for server in servers.values():
            stack.enter_context(running(server))
        address = f"{identity.scheme}://{identity.host}"
        serve_until_signal(identity, [f"{what} {address}:{server.port}" for what, server in servers.items()])


def _lease_server(simulator: Simulator, options: argparse.Namespace, identity: Identity) -> NfcServer:
    """Return the server of leases, whose certificate is of an authority that nobody is told of."""
    certificate = identity.certificate
    if identity.trust is not None:
        certificate = make_trust(identity.trust.certificate.parent / "leases", identity.host).certificate
    return NfcServer(
        simulator,
        None if certificate is None else server_context(certificate),
        (options.address, options.lease_port),
        host="*" if options.esx else identity.host,
        thumbprint="" if certificate is None else thumbprint(certificate),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="simulators.vsphere",
        description="A simulator of vSphere, over TLS. Users: administrator@vsphere.local (--esx: root), and "
        "reader@vsphere.local (--esx: reader), who is read-only; password: secret.",
    )
    product = parser.add_mutually_exclusive_group()
    product.add_argument("--vcenter", action="store_true", help="be a vCenter Server (the default)")
    product.add_argument("--esx", action="store_true", help="be a lone ESXi host")
    parser.add_argument("--address", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (default: a free one)")
    parser.add_argument(
        "--lease-port", type=int, default=0, help="port for the files of leases (default: a free one)"
    )
    tls = parser.add_mutually_exclusive_group()
    tls.add_argument(
        "--tls-folder", type=Path, help="folder for ca.pem and host.pem (default: a temporary one)"
    )
    tls.add_argument("--certificate", type=Path, help="PEM file with a certificate and its key to use")
    tls.add_argument("--no-tls", action="store_true", help="serve plain HTTP")
    parser.add_argument("--vms", type=int, default=3, help="number of VMs (default: %(default)s)")
    parser.add_argument("--latency", type=float, default=0, help="minimum duration of a call in seconds")
    parser.add_argument("--task-seconds", type=float, default=0, help="minimum duration of a task in seconds")
    parser.add_argument("--no-json", action="store_true", help="no VI-JSON, like vCenter before 8.0.1")
    parser.add_argument(
        "--session-idle", type=float, default=1_800, help="maximum idle time of a session in seconds"
    )
    return parser


if __name__ == "__main__":
    main()
