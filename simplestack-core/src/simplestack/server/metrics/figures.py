"""The figures of this process. Import it only if prometheus-client is installed."""

import fcntl
import functools
import logging
import threading
from collections import Counter as Count
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

from prometheus_client import Counter, Gauge, Histogram

from simplestack.server.metrics import catalog
from simplestack.server.metrics.catalog import BUCKETS_SECONDS, Kind, Metric
from simplestack.server.metrics.folder import locked
from simplestack.sessions.maker import Place
from simplestack.sessions.meter import SESSION_STATES, Meter

_log = logging.getLogger("simplestack.server")

P = ParamSpec("P")

#: Maximum number of values of the label `host`. Each adds about 100 lines to the response.
MAX_HOSTS = 1000


def _harmless(record: "Callable[Concatenate[Figures, P], None]") -> "Callable[Concatenate[Figures, P], None]":
    """Return a method that never raises: the operation has taken effect, whether or not it is counted."""

    @functools.wraps(record)
    def recorded(self: "Figures", /, *args: P.args, **kwargs: P.kwargs) -> None:
        try:
            record(self, *args, **kwargs)
        except Exception:
            if not self.has_failed:
                self.has_failed = True
                _log.exception("the metrics are incomplete from now on")

    return recorded


class Figures(Meter):
    """Counts requests, sessions and calls.

    Label values come from the operations table, from the loaded plugins and from a limited number of hosts.
    No client can create others.
    """

    def __init__(self, folder: Path, *, with_hosts: bool) -> None:
        """Start with the figures of an earlier process that had the same ID.

        :param folder: where prometheus-client writes them
        :param with_hosts: whether metrics have the label `host`
        """
        #: Whether a figure could not be written, which is logged once.
        self.has_failed = False
        self._with_hosts = with_hosts
        #: Hosts with a successful login in this process. Others could be invented by clients.
        self._hosts: set[str] = set()
        self._lock = threading.Lock()
        #: The methods that count, by metric and label values: finding them takes longer than counting.
        self._counting: dict[tuple[Metric, tuple[str, ...]], Callable[[float], None]] = {}
        #: The label values of sessions, without their states.
        self._shown_places: set[tuple[str, ...]] = set()
        # Each type of metric has a file. The lock keeps other workers from reading one that is still empty.
        with locked(folder, fcntl.LOCK_EX):
            self._metrics = {metric: _make(metric, with_hosts=with_hosts) for metric in catalog.METRICS}
            self._of(catalog.WORKER_STARTS)(1)
            self._of(catalog.REQUEST_DURATION, "metrics_info", "", *self._host(None))
            self._metrics[catalog.WORKERS].set(1)

    @_harmless
    def request_ended(self, operation: str, place: Place | None, status: int, seconds: float) -> None:
        """Count a response.

        :param operation: name of the operation; empty if the request has none
        :param place: None if the request was rejected before its host was known
        """
        labels = operation, place.hypervisor if place else ""
        host = self._host(place)
        self._of(catalog.REQUESTS, *labels, str(status), *host)(1)
        self._of(catalog.REQUEST_DURATION, *labels, *host)(seconds)

    @_harmless
    def request_rejected(self, status: int) -> None:
        """Count an error response to a request that did not reach the application."""
        self._of(catalog.REQUESTS, "", "", str(status), *self._host(None))(1)

    @_harmless
    def token_rejected(self) -> None:
        """Count a request without a valid service token."""
        self._of(catalog.REJECTED_TOKENS)(1)

    @_harmless
    def login_ended(self, place: Place, outcome: str, seconds: float) -> None:
        """Count a login."""
        if outcome == "ok" and len(self._hosts) < MAX_HOSTS:
            self._hosts.add(place.target)
        host = self._host(place)
        self._of(catalog.LOGINS, place.hypervisor, outcome, *host)(1)
        self._of(catalog.LOGIN_DURATION, place.hypervisor, *host)(seconds)

    @_harmless
    def login_repeated(self, place: Place) -> None:
        """Count a login that was rejected without asking the hypervisor."""
        self._of(catalog.LOGINS, place.hypervisor, "repeated", *self._host(place))(1)

    @_harmless
    def session_awaited(self, place: Place, seconds: float) -> None:
        """Count a call that waited for a session."""
        self._of(catalog.SESSION_WAIT, place.hypervisor, *self._host(place))(seconds)

    @_harmless
    def call_abandoned(self, place: Place, operation: str) -> None:
        """Count an abandoned call."""
        self._of(catalog.ABANDONED_CALLS, operation, place.hypervisor, *self._host(place))(1)

    @_harmless
    def sessions_counted(self, counts: Mapping[tuple[Place, str], int]) -> None:
        """Show the number of sessions of this process, in all states that they can have."""
        found: Count[tuple[str, ...]] = Count()
        for (place, state), count in counts.items():
            found[place.hypervisor, state, *self._host(place)] += count
        with self._lock:
            self._shown_places |= {(hypervisor, *host) for hypervisor, _, *host in found}
            for hypervisor, *host in self._shown_places:
                for state in SESSION_STATES:
                    labels = hypervisor, state, *host
                    self._metrics[catalog.SESSIONS].labels(*labels).set(found[labels])

    def _host(self, place: Place | None) -> tuple[str, ...]:
        if not self._with_hosts:
            return ()
        return (place.target if place and place.target in self._hosts else "",)

    def _of(self, metric: Metric, *labels: str) -> Callable[[float], None]:
        """Return the method that counts with these label values."""
        counting = self._counting.get((metric, labels))
        if counting is None:
            series = self._metrics[metric]
            series = series.labels(*labels) if labels else series
            counting = series.observe if metric.kind is Kind.HISTOGRAM else series.inc
            self._counting[metric, labels] = counting
        return counting


def _make(metric: Metric, *, with_hosts: bool) -> Any:
    labels = (*metric.labels, "host") if with_hosts and metric.has_host else metric.labels
    match metric.kind:
        case Kind.COUNTER:
            return Counter(metric.name, metric.meaning, labels, registry=None)
        case Kind.GAUGE:
            return Gauge(metric.name, metric.meaning, labels, registry=None, multiprocess_mode="livesum")
        case Kind.HISTOGRAM:
            return Histogram(metric.name, metric.meaning, labels, registry=None, buckets=BUCKETS_SECONDS)
