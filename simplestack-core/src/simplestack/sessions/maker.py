"""The interface by which the pool connects sessions and logs them out."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Place(NamedTuple):
    """A host of a hypervisor. Sessions and calls are counted by place."""

    hypervisor: str
    target: str


class SessionKey(NamedTuple):
    """The user and the host of a session."""

    place: Place
    #: Keyed digest of user name and password.
    digest: bytes

    @property
    def target(self) -> str:
        """The host."""
        return self.place.target


class SessionMaker(Protocol):
    """Connects and logs out the sessions of a hypervisor at a host, and has their limits."""

    shares_sessions: bool
    max_sessions: int
    idle_timeout_seconds: float
    hung_timeout_seconds: float
    connect_timeout_seconds: float
    failed_login_seconds: float

    def connect(self, call: Any, on_late: Callable[[Any, BaseException | None], None]) -> Any:
        """Connect a session.

        :param call: the `call` given to the pool
        :param on_late: called with the session or the error if connecting ends after the time limit
        :raises DeadlineExceeded: the time limit has passed, and the connecting thread was abandoned
        """
        ...

    def disconnect(self, session: Any) -> None:
        """Log the session out.

        :raises Exception: the logout failed; the pool may try again
        """
        ...
