"""Settings of the plugin: ``[hypervisors.kvm]``. The comments of the fields are the reference."""

from typing import Annotated, Literal

from msgspec import Meta, field

from simplestack import AbsolutePath, HypervisorSettings, PrivateFile

Transport = Literal["auto", "unix", "tcp", "tls", "ssh"]
UserName = Annotated[
    str, Meta(pattern=r"\A[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}\Z", extra={"words": "a user name such as `virt`"})
]
#: The format of hashes from ``simplestack hash-password``.
PasswordHash = Annotated[
    str,
    Meta(
        pattern=r"\Ascrypt\$[0-9]{1,9}\$[0-9]{1,4}\$[0-9]{1,4}\$[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=]+\Z",
        extra={"words": "a hash from `simplestack hash-password`"},
    ),
]


class KvmSettings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Connections to libvirt, accounts, and defaults for guests."""

    #: Transport to libvirtd: ``unix`` for this machine; ``tls``, ``tcp`` or ``ssh`` for other machines.
    #: ``auto`` is ``unix`` for localhost without a port, and ``tls`` for all other hosts.
    transport: Transport = "auto"
    #: Password hashes from ``simplestack hash-password``, by user name. They are used if libvirt does not
    #: check passwords: over its unix socket, over tls or tcp without SASL, and over ssh with a key.
    accounts: dict[str, PasswordHash] = field(default_factory=dict)
    #: Path of libvirtd's unix socket on the host. Default: libvirt's.
    socket: AbsolutePath | None = None
    #: Folder with ``cacert.pem``, and with ``clientcert.pem`` and ``clientkey.pem`` if hosts require a client
    #: certificate. Default: libvirt's, /etc/pki/CA/cacert.pem and /etc/pki/libvirt/.
    tls_pki_path: AbsolutePath | None = None
    #: Verify the TLS certificates of hosts. Without verification, an attacker in the network can read
    #: passwords and change guests.
    tls_verify: bool = True
    #: How to log in over ssh: ``password`` uses the user name and password of the request, ``key`` the
    #: service's key. With ``key``, the password of the request is checked against `accounts`.
    ssh_auth: Literal["password", "key"] = "password"
    #: User name for the key. Required with ``ssh_auth = "key"``.
    ssh_key_user: UserName | None = None
    #: File with the private key, without a passphrase. Required with ``ssh_auth = "key"``.
    ssh_key_file: PrivateFile | None = None
    #: File with the host keys of ssh servers, in OpenSSH's known_hosts format. Other hosts are rejected.
    ssh_known_hosts_file: AbsolutePath = "/etc/ssh/ssh_known_hosts"
    #: Verify the host keys of ssh servers. Without verification, an attacker in the network can steal
    #: passwords.
    ssh_verify: bool = True
    #: Interval of libvirt's keep-alive messages.
    keepalive_interval_seconds: Annotated[int, Meta(ge=1, le=3600)] = 5
    #: Number of keep-alive messages without a response after which the connection is closed.
    keepalive_count: Annotated[int, Meta(ge=1, le=100)] = 3
    #: Name of the storage pool for new disks if the request names none. Default: the active pool with the
    #: most free space.
    default_storage: str | None = None
    #: Virtualization of new guests: ``kvm`` (hardware), ``qemu`` (software emulation), or ``auto``, which
    #: follows the host's capabilities. On some hosts, they report ``kvm`` although the kernel does not
    #: support it.
    virtualization: Literal["auto", "kvm", "qemu"] = "auto"
    #: How long a guest may take to shut down.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40

    def __post_init__(self) -> None:
        """Check that settings are consistent."""
        if self.ssh_auth == "key" and (self.ssh_key_user is None or self.ssh_key_file is None):
            raise ValueError('ssh_auth = "key" needs ssh_key_user and ssh_key_file')


def warnings(settings: KvmSettings) -> list[str]:
    """Return the warnings that the service logs when it starts."""
    lines = []
    if not settings.accounts:
        if settings.transport in ("auto", "unix") or settings.ssh_auth == "key":
            lines.append(
                "no accounts: libvirt does not check passwords on its unix socket, or after a login with the "
                "service's key, so these requests get 401; create accounts with `simplestack hash-password`"
            )
        if settings.transport in ("auto", "tls", "tcp"):
            lines.append(
                "no accounts: requests to tls and tcp hosts get 401 if their libvirtd does not require SASL"
            )
    if not settings.tls_verify:
        lines.append("tls_verify is off: an attacker in the network can read passwords and change guests")
    if not settings.ssh_verify:
        lines.append("ssh_verify is off: an attacker in the network can steal passwords")
    if settings.transport == "tcp":
        lines.append(
            "transport is tcp: an attacker in the network can read everything that SASL does not encrypt; "
            "use tls or ssh"
        )
    return lines
