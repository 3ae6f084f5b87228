"""Sessions: connections to libvirt, and who may have one."""

import contextlib
from functools import partial

from simplestack import Credentials, Target, Unauthorized, check_account
from simplestack_kvm import errors
from simplestack_kvm.libvirtd.event_loop import start_event_loop
from simplestack_kvm.libvirtd.session import KvmSession
from simplestack_kvm.libvirtd.transports import Route, accounts_decide, chosen_transport, find_route
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.settings import KvmSettings


def connect(target: Target, credentials: Credentials, settings: KvmSettings) -> KvmSession:
    """Connect to a host's libvirt.

    Nobody rides on this service's own rights: unless the other end asks for the caller's password, the
    caller must have an account in the settings.

    :raises Unauthorized: libvirt, sshd or the accounts refuse the credentials
    :raises HypervisorTimeout: the host is silent
    :raises HypervisorUnavailable: the host cannot be reached, or verified, or libvirt is not installed here
    """
    _refuse_unusable(credentials)
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

    One on which a call was given up is only let go of: the call would go on with memory that is freed. It has
    the last reference, and libvirt-python closes the connection when that goes.
    """
    if not session.abandoned.is_set():
        session.connection.close()


def check(session: KvmSession) -> bool:
    """Tell whether the connection is alive, without a round trip."""
    return not session.abandoned.is_set() and bool(session.connection.isAlive())


class _Answers:
    """Gives libvirt the caller's credentials when the other end asks for them."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials
        self.password_was_asked = False

    def give(self, questions: list[list[str | int | None]], _context: None) -> int:
        """Fill in the answers (member 4) by the kind of question (member 0); -1 ends the login."""
        for question in questions:
            if question[0] == libvirt.VIR_CRED_AUTHNAME:
                question[4] = self._credentials.username
            elif question[0] == libvirt.VIR_CRED_PASSPHRASE and not self.password_was_asked:
                # Asked again, it was wrong. To repeat it would only lock the account.
                self.password_was_asked = True
                question[4] = self._credentials.password
            else:
                return -1
        return 0


def _open(
    route: Route, target: Target, credentials: Credentials, settings: KvmSettings
) -> "libvirt.virConnect":
    answers = _Answers(credentials)
    kinds = [libvirt.VIR_CRED_AUTHNAME, libvirt.VIR_CRED_PASSPHRASE] if route.checks_password else []
    try:
        connection = libvirt.openAuth(route.uri, [kinds, answers.give, None], libvirt.VIR_CONNECT_NO_ALIASES)
    except libvirt.libvirtError as error:
        raise errors.not_connected(error, target, as_caller=answers.password_was_asked) from None
    try:
        if route.checks_password and not answers.password_was_asked:
            # The other end let somebody in without a password after all; here nobody gets in that way.
            check_account(settings.accounts, credentials)
        connection.setKeepAlive(settings.keepalive_interval_seconds, settings.keepalive_count)
    except BaseException:
        with contextlib.suppress(libvirt.libvirtError):  # what matters is on its way already
            connection.close()
        raise
    return connection


def _reopen(target: Target, settings: KvmSettings) -> "libvirt.virConnect":
    nobody = Credentials("", "")
    route = find_route(target, nobody, settings)
    if route.checks_password:
        raise Unauthorized(f"{target} asks for a password now")
    return _open(route, target, nobody, settings)


def _refuse_unusable(credentials: Credentials) -> None:
    """Refuse a user name that the C libraries below would replace, cut short or take for several lines."""
    name = credentials.username
    if not name or not name.isprintable() or "\0" in credentials.password:
        raise Unauthorized("wrong user name or password")
