"""Sessions: who may log in, what a session may do, and when it ends."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from msgspec import Struct

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure

#: XAPI keeps so many sessions of one kind, and ends the oldest.
MAX_SESSIONS = 500
#: What a session may send that may only read, besides all that begins with ``get_``. The tasks are its own.
_READING = ("event.", "session.logout")
_TASKS = frozenset(
    f"task.{name}"
    for name in (
        "create",
        "destroy",
        "cancel",
        "set_status",
        "set_progress",
        "set_result",
        "set_error_info",
    )
)

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

    def log_in(self, name: str, password: str, originator: str, host: str) -> str:
        """Begin a session.

        :raises Failure: SESSION_AUTHENTICATION_FAILED
        """
        account = self._accounts.get(name)
        if account is None or account.password != password:
            raise Failure("SESSION_AUTHENTICATION_FAILED", name, "Authentication failure")
        now = datetime.now(UTC)
        with self._database.lock:
            self._end_oldest(_kind_of(name, originator))
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
        return session.ref

    def check(self, ref: str) -> Object:
        """Return a session that has not ended.

        :raises Failure: SESSION_INVALID
        """
        session = self._database.find("session", ref)
        now = datetime.now(UTC)
        if session is not None and now - session["last_active"] > self._idle:
            self.end(session)
            session = None
        if session is None:
            raise Failure("SESSION_INVALID", ref)
        session["last_active"] = now
        return session

    def permit(self, session: Object, permission: str) -> None:
        """Pass what a session may do: send a message, such as ``VM.start``, or ``http/put_import``.

        :raises Failure: RBAC_PERMISSION_DENIED
        """
        if not session["is_local_superuser"] and not _only_reads(permission):
            raise denied(permission)

    def end(self, session: Object) -> None:
        """Log a session out."""
        with self._database.lock:
            if self._database.find("session", session.ref) is not None:
                self._database.remove(session)

    def _end_oldest(self, kind: tuple[str, str]) -> None:
        same = [found for found in self._database.all("session") if _kind(found) == kind]
        too_many = max(0, len(same) - MAX_SESSIONS + 1)
        for session in sorted(same, key=lambda found: found["last_active"])[:too_many]:
            self.end(session)


def denied(permission: str) -> Failure:
    """Return what somebody is told who may not do something. The simulator knows one role that may."""
    roles = "No permission in user session. (Roles with this permission: pool-admin)"
    return Failure("RBAC_PERMISSION_DENIED", permission.lower(), roles)


def _only_reads(permission: str) -> bool:
    _, _, name = permission.partition(".")
    return permission in _TASKS or name.startswith("get_") or permission.startswith(_READING)


def _kind(session: Object) -> tuple[str, str]:
    """Return among which sessions one is counted: root's by originator, another user's by name."""
    return _kind_of(session["auth_user_name"], session["originator"])


def _kind_of(name: str, originator: str) -> tuple[str, str]:
    return ("originator", originator) if name in ("", "root") else ("name", name)
