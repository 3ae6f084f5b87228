"""The simulator on a socket: HTTPS, one thread for each connection.

``POST /`` is XML-RPC, ``POST /jsonrpc`` JSON-RPC. ``PUT /import`` and ``GET /export`` move images,
``PUT /import_raw_vdi`` what is on a disk. What is below ``/simulator/`` XAPI has not.
"""

import ssl

from simulators.https import HttpsServer
from simulators.xapi.handler import Handler
from simulators.xapi.simulator import Simulator


class Server(HttpsServer):
    """One address of a simulated pool."""

    def __init__(
        self,
        simulator: Simulator,
        context: ssl.SSLContext | None,
        address: tuple[str, int] = ("127.0.0.1", 0),
        master_address: str | None = None,
        redirect_to: str | None = None,
        *,
        speaks_json: bool = True,
    ) -> None:
        """Listen.

        :param context: with the server's certificate; None serves without TLS
        :param master_address: makes it a slave, which sends its clients there; it may change at any time
        :param redirect_to: ``https://host:port`` of another host, which imports and exports are sent to
        :param speaks_json: whether there is a ``/jsonrpc``; old XAPIs have none
        """
        self.simulator = simulator
        self.master_address = master_address
        self.redirect_to = redirect_to
        self.speaks_json = speaks_json
        #: How long it takes to say so.
        self.redirect_seconds = 0.0
        super().__init__(context, address, type("_Handler", (Handler,), {"place": self}))

    def release(self) -> None:
        """Let go of the requests that hang."""
        self.simulator.faults.clear()
