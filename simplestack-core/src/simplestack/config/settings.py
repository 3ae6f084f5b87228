"""All settings with their defaults. The comments of the fields are the reference."""

from typing import Annotated, Any

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=86400)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
LineFormat = Annotated[str, Meta(pattern=r"\A(text|json)\Z", extra={"words": "text or json"})]

PLUGIN_TIMEOUT_SECONDS = 30


class HypervisorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of every hypervisor: ``[hypervisors.NAME]``. A plugin adds its own in a subclass."""

    #: Hosts that the plugin may connect to: names, globs, addresses or CIDR ranges; ``["*"]`` allows all.
    #: Default: all if the service listens on loopback; otherwise required.
    allowed_hosts: list[str] | None = None
    #: Time limit for connecting to a host.
    connect_timeout_seconds: Seconds = 10
    #: Time limit for an operation. First-generation clients wait 60 s. For imports and exports, it is the
    #: time limit between two pieces of the image.
    call_timeout_seconds: Seconds = 50
    #: Time limit for an operation that copies a guest's disks or memory: create, clone, import, export,
    #: snapshots, disks, pause and resume. The operation continues when its client disconnects.
    long_call_timeout_seconds: Seconds = 3600
    #: Maximum number of sessions at one host in each worker process, including sessions that are still
    #: connecting.
    max_sessions_per_host: Count = 8
    #: How long a hanging session counts towards `max_sessions_per_host`. A session hangs if it exceeds its
    #: time limit. Its thread cannot be stopped, so it counts towards `server.max_sessions` until it returns.
    #: At most `max_sessions_per_host` hanging sessions of a host stop counting.
    hung_timeout_seconds: Seconds = 600
    #: Maximum number of calls to one host in each worker process, including calls that wait for a session.
    #: Further calls get 503 at once. A host never gets more than half of `server.threads`, and less while
    #: other hosts are slow.
    max_calls_per_host: Count = 16
    #: Maximum number of imports and exports of one host in each worker process. It is limited to
    #: `max_sessions_per_host` - 1, so that a session stays free for other operations.
    max_transfers_per_host: Count = 4
    #: Sessions are logged out when they have been idle for this time.
    idle_timeout_seconds: Seconds = 300
    #: After a failed login, the same user name and password are rejected for this time without asking the
    #: hypervisor, so that a client in a loop does not lock the account.
    failed_login_seconds: Annotated[float, Meta(ge=0, le=3600)] = 3
    #: Settings for a single host: ``[hypervisors.NAME.hosts."HOST"]``. They override the settings above.
    hosts: dict[str, dict[str, Any]] = {}


class ServiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a service plugin: ``[services.NAME]``. A plugin that has any subclasses it."""


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the service itself: ``[server]``."""

    #: Address and port to listen on. Other addresses than loopback require `hypervisors`, and `allowed_hosts`
    #: of each hypervisor.
    bind: str = "127.0.0.1:8081"
    #: Hypervisor plugins to use. Default: all that are installed if the service listens on loopback;
    #: otherwise required.
    hypervisors: list[str] | None = None
    #: Service plugins to use. Default: all installed ones, except those that are off by default. The service
    #: does not start if one of them cannot be loaded: it may be a policy.
    services: list[str] | None = None
    #: Time limit for each step of loading a plugin, such as its import. A plugin that exceeds it is not used.
    plugin_timeout_seconds: Seconds = PLUGIN_TIMEOUT_SECONDS
    #: Number of worker processes; 0 means one per core.
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    #: Maximum number of concurrent requests per worker. Slow clients can use at most half of them.
    threads: Annotated[int, Meta(ge=2, le=100_000)] = 32
    #: PEM file with the certificate chain. If it is set, the service uses HTTPS.
    certificate: str | None = None
    #: PEM file with the private key of the certificate.
    private_key: str | None = None
    #: Hashes of service tokens from ``simplestack service-token``, by the name of the token's holder. If
    #: there are any, requests need a token in ``Authorization: Bearer`` or ``X-Simplestack-Token``.
    tokens: dict[str, str] = {}
    #: Whether ``GET /metrics`` requires a service token, if there are any `tokens`.
    metrics_need_token: bool = True
    #: Whether metrics have the label `host`. Each host adds lines to the response: use it for up to some
    #: hundred hosts.
    metrics_hosts: bool = False
    #: Maximum size of a JSON body in bytes. Images are not limited.
    max_json_bytes: Annotated[int, Meta(ge=1024, le=1024**3)] = 1024**2
    #: Time limit for stopping the service. It finishes requests in flight and logs out its sessions; after
    #: this time it cuts off the rest.
    graceful_timeout_seconds: Annotated[int, Meta(ge=1, le=3600)] = 60
    #: How long an idle client connection stays open.
    keep_alive_seconds: Annotated[int, Meta(ge=1, le=3600)] = 75
    #: Time limit from the first byte of a request to the end of its header. Slower clients get 408.
    request_head_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10
    #: Minimum rate in bytes/s for sending a body or reading a response. Slower clients get 408, or their
    #: response breaks off. 0 accepts any rate.
    min_client_bytes_per_second: Annotated[int, Meta(ge=0, le=1024**3)] = 1000
    #: Period over which `min_client_bytes_per_second` is averaged. A client may pause for this time.
    slow_client_window_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60
    #: Maximum number of sessions in each worker process.
    max_sessions: Count = 256
    #: Write an audit line for each operation to standard output.
    audit: bool = True
    #: Format of the audit lines, ``text`` or ``json``. Default: the format of the log.
    audit_format: LineFormat | None = None
    #: Format of all lines of the log: ``text`` for people, or ``json``, an object in each line.
    log_format: LineFormat = "text"
    #: Maximum number of log lines about rejected requests of a client per minute and worker process, such as
    #: those with a wrong service token. The log has the number of further ones.
    max_rejection_lines_per_minute: Count = 100
    #: Addresses and CIDR ranges of the proxies in front of the service, whose ``X-Forwarded-For`` has the
    #: client's address for the log. Default: none, and the log has the address of the connection.
    trusted_proxies: list[str] = []
    #: Whether each call of a hook is logged, with its arguments and its duration, as ``simplestack.hooks`` at
    #: level ``info``. ``SIMPLESTACK_TRACE_HOOKS=1`` is short for it. It shows no secrets, bodies or images.
    trace_hooks: bool = False
    #: Minimum log level: ``debug``, ``info``, ``warning`` or ``error``.
    log_level: Annotated[
        str,
        Meta(pattern=r"\A(debug|info|warning|error)\Z", extra={"words": "debug, info, warning or error"}),
    ] = "info"
