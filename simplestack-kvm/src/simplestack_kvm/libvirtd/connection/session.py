"""A connection that is open, as hooks and what is below them use it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simplestack import Target
from simplestack_kvm.libvirtd.connection.abandoned import Abandoned
from simplestack_kvm.sdk import libvirt
from simplestack_kvm.settings import KvmSettings


@dataclass(frozen=True, eq=False, slots=True)
class KvmSession:
    """A connection to one host's libvirt.

    One thread at a time uses it. libvirt's client library before 10.3 may crash when several threads do
    (probably CVE-2024-4418), and libvirtd handles only five requests of a connection at once.
    """

    connection: "libvirt.virConnect"
    settings: KvmSettings
    target: Target
    #: Connects anew. None where the other end asks for the caller's password, which no session keeps.
    reopen: "Callable[[], libvirt.virConnect] | None" = field(default=None, repr=False)
    #: Set when a call on the connection was given up. It may hang for ever: do not use the connection.
    abandoned: Abandoned = field(default_factory=Abandoned, repr=False)
