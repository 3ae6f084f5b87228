"""Log in to a pool and log out."""

from simplestack import Credentials, HttpsClient, HypervisorUnavailable, Target, Unauthorized
from simplestack_xen.errors import parameter
from simplestack_xen.sdk import XenAPI
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.addresses import in_url
from simplestack_xen.xapi.api import Api
from simplestack_xen.xapi.session import XenSession
from simplestack_xen.xapi.tasks import Tasks


def connect(target: Target, credentials: Credentials, settings: XenSettings) -> XenSession:
    """Log in to a pool. If the host is not the master, log in to the master that it names.

    :raises Unauthorized: XAPI rejects the credentials. This takes it five seconds, so it is not retried
    :raises HostNotAllowed: the master is a host that the settings do not allow
    :raises HypervisorTimeout: the host does not respond
    :raises HypervisorUnavailable: the host cannot be reached, or its certificate is not trusted
    """
    try:
        return _log_in(target, credentials, settings)
    except XenAPI.Failure as failure:
        if failure.details[0] != "HOST_IS_SLAVE":
            raise
        master = target.elsewhere(in_url(parameter(failure, 0)))
    try:
        return _log_in(master, credentials, settings)
    except XenAPI.Failure as failure:
        if failure.details[0] != "HOST_IS_SLAVE":
            raise
        raise HypervisorUnavailable(
            f"{target} names {master} as the pool master, but {master} is not the master: try again later"
        ) from None


def disconnect(session: XenSession) -> None:
    """Log out."""
    session.api.log_out()


def check(session: XenSession) -> bool:
    """Mark the session as unverified: its next message shows whether XAPI has ended it."""
    session.api.verified_since_checkout = False
    return True


def _log_in(target: Target, credentials: Credentials, settings: XenSettings) -> XenSession:
    if not credentials.username.isprintable() or not credentials.password.isprintable():
        # XML cannot contain some of these characters, and XAPI's PAM does not accept them.
        raise Unauthorized("wrong user name or password")
    client = HttpsClient(target, settings)
    api = Api(client, settings)
    try:
        api.log_in(credentials, settings.connect_timeout_seconds)
    except BaseException:
        client.close()
        raise
    return XenSession(api, Tasks(api), settings, target)
