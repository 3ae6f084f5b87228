"""Normal traffic beside slow clients, and without them: does anybody wait for those who send a byte a second?

wrk loads one service with its default settings over 8 connections, in turn alone and together with the slow
clients. Some of these send a header that does not end, some the body of an image. Who is cut off comes again.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.comparisons import Comparison, Goal, take_turns
from benchmarks.rest_layer import Load, load
from benchmarks.scale import Scale
from support.service import running_service
from support.slow_clients import HEAD, LONG_BODY, slow_clients

_CONNECTIONS = 8
_SLOW_CLIENTS = 200
_KINDS = {
    f"{_SLOW_CLIENTS} slow headers": (HEAD,),
    f"{_SLOW_CLIENTS} slow headers and {_SLOW_CLIENTS} slow bodies": (HEAD, LONG_BODY),
}


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare the traffic that is loaded with slow clients and without."""
    with tempfile.TemporaryDirectory() as name, running_service(Path(name)) as service:
        guest = service.get("/mock/demo/guests").json[0]["id"]
        url = f"http://127.0.0.1:{service.port}/mock/demo/guests/{guest}"
        loads: dict[str, list[Load]] = {kind: [] for kind in ("alone", *_KINDS)}

        def loaded(kind: str, firsts: tuple[bytes, ...]) -> Callable[[], float]:
            def rate() -> float:
                with slow_clients(service.address, _SLOW_CLIENTS, *firsts):
                    loads[kind].append(load(url, _CONNECTIONS, scale.seconds))
                return loads[kind][-1].per_second

            return rate

        take_turns(
            scale.rounds,
            {"alone": loaded("alone", ()), **{kind: loaded(kind, firsts) for kind, firsts in _KINDS.items()}},
        )
        for kind in _KINDS:
            yield from _compare(kind, loads[kind][1:], loads["alone"][1:])


def _compare(kind: str, ours: list[Load], alone: list[Load]) -> Iterator[Comparison]:
    goals = (None, None, Goal(of="ratio", at_most=2))
    figures = (("", "requests/s"), (", median", "ms"), (", 99th percentile", "ms"))
    for figure, ((what, unit), goal) in enumerate(zip(figures, goals, strict=True)):
        yield Comparison(
            benchmark="slow-clients",
            what=f"GET of a guest with {kind}{what}",
            beside="without them",
            unit=unit,
            ours=[each[figure] for each in ours],
            other=[each[figure] for each in alone],
            goal=goal,
        )
