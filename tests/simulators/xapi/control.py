"""What XAPI has not: ``/simulator/counts``, ``/simulator/faults`` and ``/simulator/objects``.

``GET counts`` tells how often each message came, and ``DELETE counts`` begins anew. ``POST faults`` orders a
fault, and ``DELETE faults`` forgets all. ``GET objects`` returns the number of objects of each class.
"""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from simulators.xapi.faults import Rule
from simulators.xapi.simulator import Simulator

PREFIX = "/simulator/"


class Answer(NamedTuple):
    """An answer to whoever runs the simulator."""

    status: int
    body: bytes = b""
    content_type: str = "text/plain"


def answer(simulator: Simulator, method: str, path: str, body: bytes = b"") -> Answer:
    """Answer a request."""
    what = path.removeprefix(PREFIX)
    resets: dict[str, Callable[[], None]] = {
        "counts": simulator.counts.clear,
        "faults": simulator.faults.clear,
    }
    match method, what:
        case "GET", "counts":
            return Answer(200, msgspec.json.encode(simulator.counts), "application/json")
        case "GET", "objects":
            return Answer(200, msgspec.json.encode(simulator.database.counts()), "application/json")
        case "POST", "faults":
            try:
                simulator.faults.add(msgspec.json.decode(body, type=Rule))
            except msgspec.DecodeError as error:
                return Answer(400, str(error).encode())
            return Answer(204)
        case "DELETE", _ if what in resets:
            resets[what]()
            return Answer(204)
        case _:
            return Answer(404)
