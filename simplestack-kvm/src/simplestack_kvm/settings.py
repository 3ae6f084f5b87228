"""Settings of the plugin: ``[hypervisors.kvm]``. The docstrings of the members are the reference."""

from typing import Annotated, Literal

from msgspec import Meta, field

from simplestack import AbsolutePath, HypervisorSettings

Transport = Literal["auto", "unix", "tcp", "tls", "ssh"]
#: The shape of what ``simplestack hash-password`` prints.
PasswordHash = Annotated[
    str, Meta(pattern=r"\Ascrypt\$[0-9]{1,9}\$[0-9]{1,4}\$[0-9]{1,4}\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+\Z")
]


class KvmSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach libvirt on the hosts, who may, and defaults for guests."""

    #: ``unix`` is this machine's libvirtd; ``tls``, ``tcp`` and ``ssh`` are other machines'. ``auto`` is
    #: ``unix`` for localhost without a port, and ``tls`` for everything else.
    transport: Transport = "auto"
    #: Password hashes by user name (``simplestack hash-password`` makes them). They are asked where libvirt
    #: checks no password itself: over its unix socket, over tls without SASL, over ssh with a key.
    accounts: dict[str, PasswordHash] = field(default_factory=dict)
    #: Another unix socket of libvirtd's, on the host.
    socket: AbsolutePath | None = None
    #: Folder with ``cacert.pem`` and, for servers that ask for one, ``clientcert.pem`` and ``clientkey.pem``.
    #: Without it libvirt's own are used: /etc/pki/CA/cacert.pem and /etc/pki/libvirt/.
    tls_pki_path: AbsolutePath | None = None
    #: Whether the certificate of a tls server is verified. Turning it off lets anybody between here and there
    #: read passwords and change guests.
    tls_verify: bool = True
    #: Who logs in over ssh: the caller with the password of the request, or this service with its key. In the
    #: latter case callers are checked against `accounts`.
    ssh_auth: Literal["password", "key"] = "password"
    #: The user that the key logs in as. Needed with ``ssh_auth = "key"``.
    ssh_key_user: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z")] | None = None
    #: The private key, without a passphrase. Needed with ``ssh_auth = "key"``.
    ssh_key_file: AbsolutePath | None = None
    #: Host keys of the ssh servers, as OpenSSH's known_hosts. Hosts that are not in it are refused.
    ssh_known_hosts_file: AbsolutePath = "/etc/ssh/ssh_known_hosts"
    #: Whether the key of an ssh server is verified. Turning it off lets anybody between here and there take
    #: passwords.
    ssh_verify: bool = True
    #: How often libvirt asks a silent host for a sign of life.
    keepalive_interval_seconds: Annotated[int, Meta(ge=1, le=3600)] = 5
    #: How many signs of life may be missing before the connection is given up.
    keepalive_count: Annotated[int, Meta(ge=1, le=100)] = 3
    #: Name of the storage pool for new disks of requests that name none. Else the active one with most room.
    default_storage: str | None = None
    #: What new guests run on: ``kvm`` (hardware virtualisation), ``qemu`` (software emulation), or what the
    #: host's capabilities say. They say ``kvm`` on some hosts whose kernel then refuses it.
    virtualization: Literal["auto", "kvm", "qemu"] = "auto"
    #: How long a guest that was asked to shut down may take.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40

    def __post_init__(self) -> None:
        """Refuse what cannot work together."""
        if self.ssh_auth == "key" and (self.ssh_key_user is None or self.ssh_key_file is None):
            raise ValueError('ssh_auth = "key" needs ssh_key_user and ssh_key_file')


def warnings(settings: KvmSettings) -> list[str]:
    """Say what an operator should know when the service starts."""
    lines = []
    if not settings.accounts:
        if settings.transport in ("auto", "unix") or settings.ssh_auth == "key":
            lines.append(
                "no accounts: libvirt checks no password on its unix socket, nor behind the service's key. "
                "Requests that go there are answered with 401; `simplestack hash-password` makes accounts"
            )
        if settings.transport in ("auto", "tls", "tcp"):
            lines.append(
                "no accounts: requests to tls and tcp hosts whose libvirtd does not ask for SASL are "
                "answered with 401"
            )
    if not settings.tls_verify:
        lines.append(
            "tls_verify is off: anybody on the way to the hosts can read passwords and change guests"
        )
    if not settings.ssh_verify:
        lines.append("ssh_verify is off: anybody on the way to the hosts can take passwords")
    if settings.transport == "tcp":
        lines.append(
            "transport is tcp: anybody on the way to the hosts can read what SASL does not encrypt; "
            "tls and ssh have no such gap"
        )
    return lines
