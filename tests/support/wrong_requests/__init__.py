"""Wrong requests, and the errors that clients read, whatever the hypervisor is.

The conformance kit demands the status and the name of an error of all plugins. Those of this project have the
same words, too.
"""

from support.wrong_requests.fields import FIELDS
from support.wrong_requests.host import WrongHost, wrong_host
from support.wrong_requests.missing import MISSING
from support.wrong_requests.model import WrongRequest
from support.wrong_requests.states import STATES

__all__ = ["WrongHost", "WrongRequest", "wrong_host", "wrong_requests"]


def wrong_requests(hypervisor: str) -> list[WrongRequest]:
    """Return the requests that are wrong on a hypervisor."""
    return [wrong for wrong in (*MISSING, *STATES, *FIELDS) if hypervisor not in wrong.not_on]
