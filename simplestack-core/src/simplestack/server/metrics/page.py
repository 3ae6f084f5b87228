"""``GET /metrics``: the figures of all workers, for Prometheus."""

import fcntl
import logging

import falcon

from simplestack.dispatch.dispatcher import Dispatcher
from simplestack.errors import OperationNotSupported
from simplestack.server.authentication import ServiceTokens
from simplestack.server.metrics.folder import locked, metrics_folder, restore_metrics_folder
from simplestack.server.queries import read_query
from simplestack.server.request_id import HEADER, request_id

_log = logging.getLogger("simplestack.server")


class MetricsPage:
    """The page. It needs prometheus-client."""

    def __init__(self, dispatcher: Dispatcher, tokens: ServiceTokens | None) -> None:
        """Create the page.

        :param tokens: the service tokens; None if requests need none
        """
        self._dispatcher = dispatcher
        self._tokens = tokens

    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        """Send the figures as text, in the format that the client prefers.

        :raises OperationNotSupported: prometheus-client is not installed or cannot be used, or the folder is
            not the service's any more
        """
        if self._tokens is not None:
            self._tokens.holder(request)
        read_query(request)
        folder = metrics_folder()
        if folder is None:
            raise OperationNotSupported(
                "this service has no metrics: run `pip install prometheus-client` where the service runs; "
                "if it is installed, the service's log says what is wrong"
            )
        try:
            restore_metrics_folder(folder)
        except OSError as error:
            _log.error("no metrics: %s", error)
            raise OperationNotSupported(
                "this service has lost the folder of its metrics: the service's log says what is wrong"
            ) from None
        from prometheus_client import CollectorRegistry  # noqa: PLC0415  it may be missing
        from prometheus_client.exposition import choose_encoder  # noqa: PLC0415  the same
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415  the same

        self._dispatcher.pool.report()  # other workers have done so within the last second
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(folder))
        encode, content_type = choose_encoder(request.get_header("Accept") or "")
        response.set_header(HEADER, request_id(request))
        response.content_type = content_type
        with locked(folder, fcntl.LOCK_SH):
            response.data = encode(registry)

    on_head = on_get
