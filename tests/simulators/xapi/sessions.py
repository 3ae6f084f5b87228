"""Sessions: who may log in, what a session may do, and when it ends."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure

#: XAPI keeps so many sessions of one originator, and ends the oldest.
MAX_SESSIONS = 500
#: What these messages begin with changes nothing.
_READING = ("get_", "from", "logout")

Role = Literal["pool-admin", "read-only"]


class Account(Struct, frozen=True):
    """Somebody who may log in."""

    password: str
    role: Role = "pool-admin"


class Sessions:
    """The sessions of a pool."""

    def __init__(
        self, database: Database, accounts: Mapping[str, Account], idle: timedelta = timedelta(hours=24)
    ) -> None:
        """Begin with none.

        :param idle: how long a session may be idle
        """
        self._database = database
        self._accounts = accounts
        self._idle = idle
        self._roles: dict[str, Role] = {}

    def log_in(self, name: str, password: str, originator: str, host: str) -> str:
        """Begin a session.

        :raises Failure: SESSION_AUTHENTICATION_FAILED
        """
        account = self._accounts.get(name)
        if account is None or account.password != password:
            raise Failure("SESSION_AUTHENTICATION_FAILED", name, "Authentication failure")
        now = datetime.now(UTC)
        with self._database.lock:
            self._end_oldest(originator)
            session = self._database.add(
                "session",
                {
                    "this_host": host,
                    "last_active": now,
                    "validation_time": now,
                    "is_local_superuser": account.role == "pool-admin",
                    "auth_user_name": name,
                    "originator": originator,
                },
            )
            self._roles[session.ref] = account.role
        return session.ref

    def check(self, ref: str, message: str) -> Object:
        """Return a session that may send a message, such as ``VM.start``.

        :raises Failure: SESSION_INVALID or RBAC_PERMISSION_DENIED
        """
        session = self._database.find("session", ref)
        now = datetime.now(UTC)
        if session is not None and now - session["last_active"] > self._idle:
            self.end(session)
            session = None
        if session is None:
            raise Failure("SESSION_INVALID", ref)
        session["last_active"] = now
        _, _, name = message.partition(".")
        if self._roles[ref] == "read-only" and not name.startswith(_READING):
            raise Failure("RBAC_PERMISSION_DENIED", message.lower(), "No permission in user session")
        return session

    def end(self, session: Object) -> None:
        """Log a session out."""
        with self._database.lock:
            self._database.remove(session)
            del self._roles[session.ref]

    def _end_oldest(self, originator: str) -> None:
        same = [found for found in self._database.all("session") if found["originator"] == originator]
        too_many = max(0, len(same) - MAX_SESSIONS + 1)
        for session in sorted(same, key=lambda found: found["last_active"])[:too_many]:
            self.end(session)
