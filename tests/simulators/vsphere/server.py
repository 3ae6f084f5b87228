"""The simulator on a socket: HTTPS, with SOAP at ``/sdk``."""

import ssl

from simulators.https import HttpsServer
from simulators.vsphere.handler import Handler
from simulators.vsphere.simulator import Simulator


class Server(HttpsServer):
    """The address of a simulated vCenter or ESXi host."""

    def __init__(
        self,
        simulator: Simulator,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        """Listen.

        :param context: with the server's certificate; None serves without TLS
        """
        self.simulator = simulator
        super().__init__(context, address, type("_Handler", (Handler,), {"place": self}))

    def release(self) -> None:
        """Let go of the requests that hang, and of those that wait for updates."""
        self.simulator.faults.clear()
        with self.simulator.database.lock:
            self.simulator.sessions.end_all()
