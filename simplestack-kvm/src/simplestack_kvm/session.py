"""Sessions: connections to libvirt."""

from dataclasses import dataclass

from simplestack import Credentials, Target, check_account
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.settings import KvmSettings


@dataclass(frozen=True, eq=False, slots=True)
class KvmSession:
    """A connection to one host's libvirt. Several threads may use it at once."""

    connection: "libvirt.virConnect"
    settings: KvmSettings
    target: Target


def connect(target: Target, credentials: Credentials, settings: KvmSettings) -> KvmSession:
    """Connect to a host."""
    check_account(settings.accounts, credentials)
    return KvmSession(libvirt.open("qemu:///system"), settings, target)


def disconnect(session: KvmSession) -> None:
    """Close the connection."""
    session.connection.close()


def check(session: KvmSession) -> bool:
    """Tell whether the connection is alive, without a round trip."""
    return bool(session.connection.isAlive())
