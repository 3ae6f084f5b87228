"""What is known of a call besides its arguments."""

from msgspec import Struct


class CallContext(Struct, frozen=True, kw_only=True):
    """Who asks for an operation, and where. Holds no secret that a service plugin could log."""

    #: The plugin's name, not an alias.
    hypervisor: str
    #: As the client named it.
    host: str
    #: Who logs in at the hypervisor.
    user: str
    #: Leads to the request in the log; ``-`` for calls of a :class:`~simplestack.Stack`.
    request_id: str
    #: Name of the service token that the request came with.
    client: str | None = None
