"""What the pool needs to know of a hypervisor's sessions."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class Place(NamedTuple):
    """A host of a hypervisor: what sessions and calls are counted by."""

    hypervisor: str
    target: str


class SessionKey(NamedTuple):
    """Whose session it is, and where."""

    place: Place
    #: Of user and password.
    digest: bytes

    @property
    def target(self) -> str:
        """The host."""
        return self.place.target


class SessionMaker(Protocol):
    """How the sessions of one hypervisor at one host are made, and what bounds them."""

    shares_sessions: bool
    max_sessions: int
    idle_timeout_seconds: float
    hung_timeout_seconds: float
    connect_timeout_seconds: float
    refusal_seconds: float

    def connect(self, call: Any, on_late: Callable[[Any, BaseException | None], None]) -> Any:
        """Make a session.

        :param call: what the pool was asked with
        :param on_late: gets the session, or why there is none, when either comes after the time was up
        :raises DeadlineExceeded: the time is up, and a thread that is still connecting was abandoned
        """
        ...

    def disconnect(self, session: Any) -> None:
        """Log the session out.

        :raises Exception: the hypervisor could not be told; it may be tried again
        """
        ...
