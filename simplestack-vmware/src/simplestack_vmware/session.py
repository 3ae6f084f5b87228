"""Log in to a vCenter or an ESXi host, and log out."""

from simplestack import Credentials, Target, Unauthorized
from simplestack_vmware.settings import VmwareSettings
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.reading.reader import Reader
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from simplestack_vmware.vsphere.tasks.tasks import Tasks


def connect(target: Target, credentials: Credentials, settings: VmwareSettings) -> VmwareSession:
    """Log in.

    :raises Unauthorized: vSphere rejects the credentials
    :raises HypervisorTimeout: the host does not respond
    :raises HypervisorUnavailable: the host cannot be reached, or its certificate is not trusted
    """
    if not credentials.username.isprintable() or not credentials.password.isprintable():
        # XML cannot contain some of these characters, and vSphere accepts none of them.
        raise Unauthorized("wrong user name or password")
    api = Api(target, settings)
    try:
        api.log_in(credentials)
        return VmwareSession(api, Reader(api), Tasks(api), settings, target)
    except BaseException:
        api.close()
        raise


def disconnect(session: VmwareSession) -> None:
    """Log out."""
    session.api.log_out()


def check(session: VmwareSession) -> bool:
    """Mark the session as unverified: its next call shows whether vSphere has ended it."""
    session.api.begin_operation()
    return True
