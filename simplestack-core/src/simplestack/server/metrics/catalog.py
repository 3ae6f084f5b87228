"""All metrics, with their labels."""

from dataclasses import dataclass
from enum import Enum, auto


class Kind(Enum):
    """The type of a metric."""

    COUNTER = auto()
    GAUGE = auto()
    HISTOGRAM = auto()


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric."""

    kind: Kind
    #: A counter's ends with ``_total``, as Prometheus shows it.
    name: str
    meaning: str
    labels: tuple[str, ...] = ()
    #: Whether it has the label ``host``, too, if the setting `metrics_hosts` is on.
    has_host: bool = True


REQUESTS = Metric(
    Kind.COUNTER,
    "simplestack_requests_total",
    "Responses, by HTTP status.",
    ("operation", "hypervisor", "status"),
)
REQUEST_DURATION = Metric(
    Kind.HISTOGRAM,
    "simplestack_request_duration_seconds",
    "Time from the start of a request to its response, or to the last byte of an export.",
    ("operation", "hypervisor"),
)
ABANDONED_CALLS = Metric(
    Kind.COUNTER,
    "simplestack_abandoned_calls_total",
    "Calls that the service abandoned at their time limit.",
    ("operation", "hypervisor"),
)
LOGINS = Metric(
    Kind.COUNTER,
    "simplestack_logins_total",
    "Logins at hypervisors, by outcome.",
    ("hypervisor", "outcome"),
)
LOGIN_DURATION = Metric(
    Kind.HISTOGRAM,
    "simplestack_login_duration_seconds",
    "Time that a hypervisor took for a login, successful or not.",
    ("hypervisor",),
)
SESSIONS = Metric(
    Kind.GAUGE,
    "simplestack_sessions",
    "Sessions with hypervisors, by state.",
    ("hypervisor", "state"),
)
SESSION_WAIT = Metric(
    Kind.HISTOGRAM,
    "simplestack_session_wait_seconds",
    "Time that a call waited for a session. Calls that did not wait are not counted.",
    ("hypervisor",),
)
REJECTED_TOKENS = Metric(
    Kind.COUNTER,
    "simplestack_rejected_service_tokens_total",
    "Requests without a valid service token, where one is required.",
    has_host=False,
)
WORKERS = Metric(Kind.GAUGE, "simplestack_workers", "Worker processes.", has_host=False)
WORKER_STARTS = Metric(
    Kind.COUNTER, "simplestack_worker_starts_total", "Worker processes started.", has_host=False
)

METRICS = (
    REQUESTS,
    REQUEST_DURATION,
    ABANDONED_CALLS,
    LOGINS,
    LOGIN_DURATION,
    SESSIONS,
    SESSION_WAIT,
    REJECTED_TOKENS,
    WORKERS,
    WORKER_STARTS,
)

#: Upper bounds of the buckets of histograms, 5 ms to 10 min. First-generation clients wait 60 s.
BUCKETS_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)
