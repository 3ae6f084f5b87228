"""What happens to sessions and calls, for whoever measures it."""

from collections.abc import Mapping

from simplestack.sessions.maker import Place

#: ``ending``: it is being logged out, or its call hangs.
SESSION_STATES = ("connecting", "busy", "idle", "ending")


class Meter:
    """Is told what happens in this process. This one ignores it."""

    def login_ended(self, place: Place, outcome: str, seconds: float) -> None:
        """A hypervisor was asked for a session.

        :param outcome: ``ok``, or the name of the error
        """

    def login_repeated(self, place: Place) -> None:
        """A login was rejected without asking the hypervisor, which has recently rejected the same one."""

    def session_awaited(self, place: Place, seconds: float) -> None:
        """A call had to wait for a session, with or without success."""

    def call_abandoned(self, place: Place, operation: str) -> None:
        """A call exceeded its time limit.

        :param operation: name of the hook, or ``login``
        """

    def sessions_counted(self, counts: Mapping[tuple[Place, str], int]) -> None:
        """All sessions were counted, by host and state.

        The states are those of `SESSION_STATES`.
        """


#: For processes in which nobody measures.
NO_METER = Meter()
