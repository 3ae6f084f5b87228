"""Connect to libvirt, check the client's password, and disconnect."""

import contextlib
from functools import partial

from simplestack import Credentials, Target, Unauthorized, check_account
from simplestack_kvm import errors
from simplestack_kvm.libvirtd.connection.event_loop import start_event_loop
from simplestack_kvm.libvirtd.connection.session import KvmSession
from simplestack_kvm.libvirtd.connection.transports import (
    Route,
    accounts_decide,
    chosen_transport,
    find_route,
)
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.settings import KvmSettings


def connect(target: Target, credentials: Credentials, settings: KvmSettings) -> KvmSession:
    """Connect to a host's libvirt.

    The service never lends a client its own privileges: unless the host checks the client's password, the
    client needs an account in the settings.

    :raises Unauthorized: libvirt, sshd or the accounts reject the credentials
    :raises HypervisorTimeout: the host does not respond
    :raises HypervisorUnavailable: the host cannot be reached or verified, or libvirt is not installed here
    """
    _reject_unusable(credentials)
    if accounts_decide(chosen_transport(target, settings), settings):
        check_account(settings.accounts, credentials)
        route = find_route(target, credentials, settings)
    else:
        route = find_route(target, credentials, settings)
        if not route.checks_password:
            check_account(settings.accounts, credentials)
    start_event_loop()
    connection = _open(route, target, credentials, settings)
    if route.checks_password:
        return KvmSession(connection, settings, target)
    return KvmSession(connection, settings, target, partial(_reopen, target, settings))


def disconnect(session: KvmSession) -> None:
    """Close the connection.

    A connection with an abandoned call is not closed, since the call would continue with freed memory. When
    the call returns, it drops the last reference, and libvirt-python closes the connection.
    """
    if not session.abandoned.is_set():
        session.connection.close()


def check(session: KvmSession) -> bool:
    """Return whether the connection is alive, without a round trip."""
    return not session.abandoned.is_set() and bool(session.connection.isAlive())


class _Login:
    """Gives libvirt the client's credentials when the host asks for them."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.password_was_asked = False

    def give(self, requests: list[list[str | int | None]], _context: None) -> int:
        """Fill in the credentials (item 4) by type (item 0). Return -1 to end the login."""
        for request in requests:
            if request[0] == libvirt.VIR_CRED_AUTHNAME:
                request[4] = self._credentials.username
            elif request[0] == libvirt.VIR_CRED_PASSPHRASE and not self.password_was_asked:
                # A second request means that the password was wrong. Repeating it could lock the account.
                self.password_was_asked = True
                request[4] = self._credentials.password
            else:
                return -1
        return 0


def _open(
    route: Route, target: Target, credentials: Credentials, settings: KvmSettings
) -> "libvirt.virConnect":
    login = _Login(credentials)
    kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE] if route.checks_password else []
    try:
        connection = libvirt.openAuth(route.uri, [kinds, login.give, None], libvirt.VIR_CONNECT_NO_ALIASES)
    except libvirt.libvirtError as error:
        raise errors.not_connected(error, target, as_caller=login.password_was_asked) from None
    try:
        if route.checks_password and not login.password_was_asked:
            # The host did not ask for a password after all, so check it here.
            check_account(settings.accounts, credentials)
        connection.setKeepAlive(settings.keepalive_interval_seconds, settings.keepalive_count)
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):  # the first error matters
            connection.close()
        raise
    return connection


def _reopen(target: Target, settings: KvmSettings) -> "libvirt.virConnect":
    nobody = Credentials("", "")
    route = find_route(target, nobody, settings)
    if route.checks_password:
        raise Unauthorized(f"{target} now requires a password")
    return _open(route, target, nobody, settings)


def _reject_unusable(credentials: Credentials) -> None:
    """Reject user names that the C libraries would replace, truncate or split into lines."""
    name = credentials.username
    if not name or not name.isprintable() or "\0" in credentials.password:
        raise Unauthorized("wrong user name or password")
