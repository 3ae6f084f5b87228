"""Routes of the operations table."""

from collections import defaultdict
from types import SimpleNamespace
from typing import Any

import falcon

from simplestack.operations.model import Operation
from simplestack.operations.table import OPERATIONS
from simplestack.server.responder import Responder, Service


def add_routes(app: falcon.App[Any, Any], service: Service) -> None:
    """Add a route for each operation of the table. HEAD responds like GET, without the body."""
    paths: defaultdict[str, defaultdict[str, list[Operation]]] = defaultdict(lambda: defaultdict(list))
    for operation in OPERATIONS:
        paths[operation.route][operation.method].append(operation)
    for path, methods in paths.items():
        responders: dict[str, Responder] = {}
        for method, operations in methods.items():
            responders[f"on_{method.lower()}"] = Responder(service, tuple(operations))
        if "on_get" in responders:
            responders["on_head"] = responders["on_get"]
        app.add_route(path, SimpleNamespace(**responders))
