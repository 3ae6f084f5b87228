"""What the pool needs to know of a hypervisor's sessions."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol


class SessionKey(NamedTuple):
    """Whose session it is, and where."""

    hypervisor: str
    target: str
    digest: bytes

    @property
    def place(self) -> tuple[str, str]:
        """What the number of sessions is bounded for."""
        return self.hypervisor, self.target


class SessionMaker(Protocol):
    """How the sessions of one hypervisor at one host are made, and what bounds them."""

    shares_sessions: bool
    max_sessions: int
    #: Users that all sessions at the host may have at once; None is no bound.
    max_calls: int | None
    idle_timeout_seconds: float
    hung_timeout_seconds: float
    connect_timeout_seconds: float
    refusal_seconds: float

    def connect(self, call: Any, on_late: Callable[[Any], None]) -> Any:
        """Make a session.

        :param call: what the pool was asked with
        :param on_late: gets the session, or None, when it comes after the time was up
        :raises Abandoned: the time is up, and a thread that is still at it was left behind
        """
        ...

    def check(self, session: Any) -> bool:
        """Tell whether the session is alive."""
        ...

    def disconnect(self, session: Any) -> None:
        """Log the session out. Never raises."""
        ...
