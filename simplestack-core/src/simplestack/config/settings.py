"""Every setting, with its default. The docstrings of the members are the reference."""

from typing import Annotated, Any

from msgspec import Meta, Struct

Seconds = Annotated[float, Meta(gt=0, le=86400)]
Count = Annotated[int, Meta(ge=1, le=100_000)]

PLUGIN_TIMEOUT_SECONDS = 30


class HypervisorSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that each hypervisor has: ``[hypervisors.NAME]``. A plugin subclasses it to add its own."""

    #: Hosts that the plugin may connect to: names, globs, addresses, CIDR ranges. ``["*"]`` is all, the
    #: default while the service is bound to loopback; else there is no default.
    allowed_hosts: list[str] | None = None
    #: Longest time to make a session.
    connect_timeout_seconds: Seconds = 10
    #: Time limit for one operation. First-generation clients give up after 60 s. For imports and exports it
    #: is the time limit between two pieces of the image.
    call_timeout_seconds: Seconds = 50
    #: Time limit for an operation that copies or writes out a guest's data: create, clone, import, export,
    #: snapshots, disks, suspend and resume. The operation goes on when its client has left.
    long_call_timeout_seconds: Seconds = 3600
    #: Maximum number of sessions at one host in each worker process, including sessions that are still
    #: connecting.
    max_sessions_per_host: Count = 8
    #: How long a session that hangs, while it connects or in a call beyond its time limit, keeps its place at
    #: the host. Its thread cannot be stopped, so until it returns the session counts towards
    #: `server.max_sessions`. At most `max_sessions_per_host` of them give their place back.
    hung_timeout_seconds: Seconds = 600
    #: Maximum number of calls to one host in each worker process, including calls that wait for a session;
    #: further ones get 503 at once. A host never gets more than half of `server.threads`, and less while
    #: other hosts are slow, too.
    max_calls_per_host: Count = 16
    #: Maximum number of imports and exports of one host in each worker process, and at most one less than
    #: `max_sessions_per_host`, so that slow transfers leave a session to other operations.
    max_transfers_per_host: Count = 4
    #: A session that nobody has used for so long is logged out.
    idle_timeout_seconds: Seconds = 300
    #: How long a refused login is refused again without asking the hypervisor, so that a client in a loop
    #: does not lock the account.
    refusal_seconds: Annotated[float, Meta(ge=0, le=3600)] = 3
    #: Any of these settings for one host: ``[hypervisors.NAME.hosts."HOST"]``.
    hosts: dict[str, dict[str, Any]] = {}


class ServiceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of a service plugin: ``[services.NAME]``. A plugin that has any subclasses it."""


class ServerSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings of the service itself: ``[server]``."""

    #: Address and port to listen on. Anything but loopback needs `hypervisors` and each `allowed_hosts`.
    bind: str = "127.0.0.1:8081"
    #: Names of the installed plugins that answer. All of them while bound to loopback.
    hypervisors: list[str] | None = None
    #: Names of the service plugins to use. Default: all installed ones, except those that are off unless they
    #: are named here. The service does not start without one that is in use and cannot be loaded: it may be a
    #: policy.
    services: list[str] | None = None
    #: Time limit for each step of loading a plugin, such as its import. A plugin that takes longer is not
    #: used.
    plugin_timeout_seconds: Seconds = PLUGIN_TIMEOUT_SECONDS
    #: Worker processes; 0 is one for each core.
    workers: Annotated[int, Meta(ge=0, le=1024)] = 0
    #: Maximum number of concurrent requests per worker. Half of them may wait for slow clients.
    threads: Annotated[int, Meta(ge=2, le=100_000)] = 32
    #: File (PEM) with the certificate chain that makes the service speak HTTPS.
    certificate: str | None = None
    #: File (PEM) with the certificate's private key.
    private_key: str | None = None
    #: Hashes of service tokens by the name of their holder, made by ``simplestack service-token``. Where
    #: there are any, each request needs one in ``Authorization: Bearer`` or ``X-Simplestack-Token``.
    tokens: dict[str, str] = {}
    #: Longest JSON body. Images are not limited.
    max_json_bytes: Annotated[int, Meta(ge=1024, le=1024**3)] = 1024**2
    #: Longest time that the service takes to stop. It waits for requests in flight and logs its sessions out;
    #: what is not finished by then is cut off.
    graceful_timeout_seconds: Annotated[int, Meta(ge=1, le=3600)] = 60
    #: How long an idle client connection is kept.
    keep_alive_seconds: Annotated[int, Meta(ge=1, le=3600)] = 75
    #: Longest time from the first byte of a request to the end of its header. Slower clients get 408.
    request_head_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 10
    #: Minimum rate, in bytes/s, at which a client may send a body or read a response. Slower clients get 408,
    #: or the response breaks off. 0 accepts any rate.
    min_client_bytes_per_second: Annotated[int, Meta(ge=0, le=1024**3)] = 1000
    #: That rate is an average over so much time of waiting for the client, which may pause as long.
    slow_client_window_seconds: Annotated[float, Meta(gt=0, le=3600)] = 60
    #: All sessions that each worker process may have.
    max_sessions: Count = 256
    #: Whether each operation writes an audit line (JSON) to standard output.
    audit: bool = True
    #: Whether each call of a hook is logged, with its arguments and its duration, as ``simplestack.hooks`` at
    #: level ``info``. ``SIMPLESTACK_TRACE_HOOKS=1`` is short for it. It shows no secrets, bodies or images.
    trace_hooks: bool = False
    #: Minimum log level: ``debug``, ``info``, ``warning`` or ``error``.
    log_level: Annotated[
        str,
        Meta(pattern=r"\A(debug|info|warning|error)\Z", extra={"words": "debug, info, warning or error"}),
    ] = "info"
