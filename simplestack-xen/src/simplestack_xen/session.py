"""Sessions: who logs in where, and how long a session is good for."""

from simplestack import Credentials, HypervisorUnavailable, Target, Unauthorized
from simplestack_xen.errors import parameter
from simplestack_xen.sdk import XenAPI
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.api import Api
from simplestack_xen.xapi.connection import KeptConnection
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import Tasks


def connect(target: Target, credentials: Credentials, settings: XenSettings) -> XenSession:
    """Log in to a pool. A host that is not its master says which one is, and is believed once.

    :raises Unauthorized: XAPI refuses the credentials; that took it five seconds, and is not tried again
    :raises HostNotAllowed: the master is a host that the settings do not allow
    :raises HypervisorTimeout: the host is silent
    :raises HypervisorUnavailable: the host cannot be reached, or not be trusted
    """
    try:
        return _log_in(target, credentials, settings)
    except XenAPI.Failure as failure:
        if failure.details[0] != "HOST_IS_SLAVE":
            raise
        master = target.elsewhere(parameter(failure, 0))
    try:
        return _log_in(master, credentials, settings)
    except XenAPI.Failure as failure:
        if failure.details[0] != "HOST_IS_SLAVE":
            raise
        raise HypervisorUnavailable(
            f"{target} says that {master} is the pool's master, which says that it is not"
        ) from None


def disconnect(session: XenSession) -> None:
    """Log out."""
    session.api.log_out()


def check(session: XenSession) -> bool:
    """Note that the session is lent again: only its next message will tell whether XAPI still knows it."""
    session.api.is_proven = False
    return True


def _log_in(target: Target, credentials: Credentials, settings: XenSettings) -> XenSession:
    if not credentials.username.isprintable() or not credentials.password.isprintable():
        # XML has no way to write some of them, and XAPI's PAM no way to have them.
        raise Unauthorized("wrong user name or password")
    connection = KeptConnection(target, settings)
    api = Api(connection, settings)
    try:
        api.log_in(credentials, settings.connect_timeout_seconds)
    except BaseException:
        connection.close()
        raise
    return XenSession(api, Tasks(api), settings, target)
