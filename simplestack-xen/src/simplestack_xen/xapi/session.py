"""The session that hooks use."""

from dataclasses import dataclass, field

from simplestack import Target
from simplestack_xen.settings import XenSettings
from simplestack_xen.xapi.api import Api
from simplestack_xen.xapi.messages import Messages
from simplestack_xen.xapi.tasks import Tasks


@dataclass(frozen=True, eq=False, slots=True)
class XenSession:
    """A session with a pool master. It is not thread-safe."""

    api: Api
    tasks: Tasks
    settings: XenSettings
    #: The pool master, which may differ from the host in the request.
    target: Target
    #: Cached references by class and UUID: the reference of an object never changes.
    known_refs: dict[tuple[str, str], str] = field(default_factory=dict, repr=False)

    @property
    def xenapi(self) -> Messages:
        """XAPI's messages, as in scripts for the SDK: ``session.xenapi.VM.add_tags(ref, name)``."""
        return self.api.xenapi
