"""A session that is logged in, as hooks and what is below them use it."""

from dataclasses import dataclass, field

from simplestack import Target
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.api import Api
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.tasks import Tasks


@dataclass(frozen=True, eq=False, slots=True)
class XenSession:
    """A session with a pool's master. One thread at a time may use it."""

    api: Api
    tasks: Tasks
    settings: XenSettings
    #: The master: not always the host that was asked for.
    target: Target
    #: References of what was found lately, by class and UUID: an object keeps its own as long as it lives.
    known_refs: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    @property
    def xenapi(self) -> Messages:
        """XAPI's messages, as in scripts for the SDK: ``session.xenapi.VM.add_tags(ref, name)``."""
        return self.api.xenapi
