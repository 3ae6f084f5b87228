"""Transports: how a target is reached, who checks the caller's password there, and libvirt's URI for it.

A libvirt URI takes parameters that run commands and read files, and the user's name is part of it. So each
part is percent-encoded, and no file of the service's own user can answer for the caller.
https://libvirt.org/uri.html#remote-uris
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from simplestack import Credentials, HypervisorUnavailable, InvalidArguments, Target, Unauthorized
from simplestack_kvm.libvirtd.connection.probe import Auth, Peer, Probe
from simplestack_kvm.settings import KvmSettings

_TCP_PORT, _TLS_PORT, _SSH_PORT = 16509, 16514, 22
#: Of libvirt's modular daemons, and of the one that does everything.
_UNIX_SOCKETS = ("/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock")
#: Takes the place of an auth.conf of the service's user, whose passwords would go out for the caller's.
_NO_CREDENTIALS = Path(__file__).with_name("no-credentials.conf")
#: Such names could be shell syntax.
_NO_SSH_USER = re.compile(r"""\A-|['"`;&<>|(){}\\$]|\s\Z""")
#: The probe's part of the time to connect; the rest is for the login.
_PROBE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Route:
    """A checked way to connect to libvirt."""

    uri: str = field(repr=False)
    #: Whether the other end checks the caller's password. Otherwise the accounts must.
    checks_password: bool


def chosen_transport(target: Target, settings: KvmSettings) -> Literal["unix", "tcp", "tls", "ssh"]:
    """Return the transport to a target.

    :raises InvalidArguments: the settings say ``unix``, and the target is not this machine
    """
    is_here = target.is_loopback and target.port is None
    if settings.transport == "auto":
        return "unix" if is_here else "tls"
    if settings.transport == "unix" and not is_here:
        raise InvalidArguments(
            f"host {target}: this service connects to libvirt only over the unix socket: use localhost "
            "without a port, or ask its operator to set another transport"
        )
    return settings.transport


def accounts_decide(transport: str, settings: KvmSettings) -> bool:
    """Tell whether it is known beforehand that the other end checks nobody's password."""
    return transport == "unix" or (transport == "ssh" and settings.ssh_auth == "key")


def find_route(target: Target, credentials: Credentials, settings: KvmSettings) -> Route:
    """Probe a target and return how to connect to it.

    :raises HypervisorTimeout: it is silent
    :raises HypervisorUnavailable: it cannot be reached, or is no libvirtd
    """
    transport = chosen_transport(target, settings)
    probe = Probe(target, settings.connect_timeout_seconds * _PROBE_SHARE)
    if transport == "unix":
        path = settings.socket or next(
            (path for path in _UNIX_SOCKETS if Path(path).exists()), _UNIX_SOCKETS[-1]
        )
        peer = probe.unix(path)
        return _route("unix", "", peer, {"socket": path})
    if transport == "tcp":
        port = target.port or _TCP_PORT
        peer = probe.tcp(port)
        return _route("tcp", _host(peer.address, port), peer, {})
    if transport == "tls":
        port = target.port or _TLS_PORT
        peer = probe.tls(port, settings.tls_pki_path)
        parameters = {"pkipath": settings.tls_pki_path, "no_verify": None if settings.tls_verify else "1"}
        # The certificate is verified against the name, so libvirt gets that and not the address.
        return _route("tls", _host(target.name, port), peer, parameters)
    port = target.port or _SSH_PORT
    probe.ssh(port)
    return _ssh_route(_host(target.name, port), credentials, settings)


def _route(scheme: str, host: str, peer: Peer, parameters: dict[str, str | None]) -> Route:
    if Auth.SASL in peer.auth:
        return Route(_uri(scheme, host, {**parameters, "auth": "sasl"}), checks_password=True)
    if Auth.NONE in peer.auth:
        return Route(_uri(scheme, host, parameters), checks_password=False)
    # polkit would ask about the service's own process, on whatever terminal it was started from.
    raise HypervisorUnavailable(
        "libvirtd requires an authentication other than SASL or none, which is not supported: change "
        "auth_unix_rw, auth_tcp or auth_tls in its libvirtd.conf"
    )


def _ssh_route(host: str, credentials: Credentials, settings: KvmSettings) -> Route:
    with_key = settings.ssh_auth == "key"
    if not with_key and _NO_SSH_USER.search(credentials.username):
        raise Unauthorized(f"{credentials.username!r} is not a valid ssh user name")
    user = (settings.ssh_key_user or "") if with_key else credentials.username
    parameters = {
        "sshauth": "privkey" if with_key else "password",
        "keyfile": settings.ssh_key_file if with_key else None,
        "known_hosts": settings.ssh_known_hosts_file,
        # "normal" would ask the caller whether to accept an unknown key; there is nobody to say yes.
        "known_hosts_verify": "normal" if settings.ssh_verify else "ignore",
        "socket": settings.socket,
    }
    # Not ssh: that is a program, and takes no password. Nor libssh: libvirt 9.0 waits for more on the socket
    # when libssh has the rest of a longer reply already. A keep-alive message wakes it after seconds, and the
    # client library may crash then.
    return Route(_uri("libssh2", f"{_quoted(user)}@{host}", parameters), checks_password=not with_key)


def _uri(scheme: str, host: str, parameters: dict[str, str | None]) -> str:
    parameters = {**parameters, "authfile": str(_NO_CREDENTIALS)}
    query = "&".join(f"{name}={_quoted(value)}" for name, value in parameters.items() if value is not None)
    return f"qemu+{scheme}://{host}/system?{query}"


def _host(name: str, port: int) -> str:
    return f"{Target(name, port)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
