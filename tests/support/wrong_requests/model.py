"""A wrong request, and the paths of what it is about."""

from typing import Any, NamedTuple

MAC = "52:54:00:00:00:01"
GUEST = "/guests/{guest}"
INTERFACES = f"{GUEST}/network_interfaces"
#: What a new guest needs.
NEW = {"name": "new", "memory": 256}


class WrongRequest(NamedTuple):
    """A request and its error. Names in braces are those of `WrongHost.words`."""

    what: str
    method: str
    path: str
    body: Any
    status: int
    error: str
    message: str
    #: Hypervisors that accept it, or do not support it at all.
    not_on: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.what
