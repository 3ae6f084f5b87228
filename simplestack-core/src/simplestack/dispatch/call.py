"""A call by a client, with the data that core needs to perform it."""

from typing import NamedTuple

from simplestack.entities.call_context import CallContext
from simplestack.identity.credentials import Credentials
from simplestack.sessions.maker import Place, SessionKey
from simplestack.sessions.targets import Target


class Call(NamedTuple):
    """The context of a call, and its credentials. Service plugins only get the context."""

    context: CallContext
    target: Target
    credentials: Credentials
    #: The key of the sessions for this call.
    key: SessionKey


def make_call(context: CallContext, target: Target, credentials: Credentials) -> Call:
    """Return a call; it may be made any number of times."""
    key = SessionKey(Place(context.hypervisor, context.host), credentials.digest())
    return Call(context, target, credentials, key)
