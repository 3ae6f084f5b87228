"""One call of a client's, with what core needs besides its arguments to perform it."""

from typing import NamedTuple

from simplestack.entities.call_context import CallContext
from simplestack.identity.credentials import Credentials
from simplestack.sessions.maker import Place, SessionKey
from simplestack.sessions.targets import Target


class Call(NamedTuple):
    """A context, and what core needs besides. Service plugins get the context alone."""

    context: CallContext
    target: Target
    credentials: Credentials
    #: Which sessions can serve it.
    key: SessionKey


def make_call(context: CallContext, target: Target, credentials: Credentials) -> Call:
    """Return a call; it may be made any number of times."""
    key = SessionKey(Place(context.hypervisor, context.host), credentials.digest())
    return Call(context, target, credentials, key)
