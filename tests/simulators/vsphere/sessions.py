"""Sessions: who may log in, what a session may do, and when it ends."""

import uuid
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Any

from msgspec import Struct
from pyVmomi import vim

from simulators.vsphere.schema import Long

#: vCenter's default, ``config.vmomi.soapStubAdapter...``: hostd allows as many.
MAX_SESSIONS = 500
#: What the role "Read-only" has.
READING = frozenset({"System.Anonymous", "System.View", "System.Read"})
ANONYMOUS = "System.Anonymous"


class Account(Struct, frozen=True):
    """Somebody who may log in."""

    password: str
    #: None has all privileges.
    privileges: frozenset[str] | None = None
    #: The privileges on single objects, by ID, in place of those above. Objects in them do not inherit any.
    objects: Mapping[str, frozenset[str]] = {}

    def has(self, privilege: str, moid: str | None = None) -> bool:
        """Return whether it has a privilege on an object, by default on those without own privileges."""
        privileges = self.privileges_on(moid)
        return privileges is None or privilege in privileges

    def privileges_on(self, moid: str | None) -> frozenset[str] | None:
        """Return the privileges on an object; None if it has all."""
        return self.privileges if moid is None else self.objects.get(moid, self.privileges)


class Session:
    """A client that has logged in."""

    def __init__(self, user: str, account: Account, locale: str, address: str, agent: str) -> None:
        self.key = str(uuid.uuid4())
        #: What its cookie has.
        self.cookie = uuid.uuid4().hex + uuid.uuid4().hex[:8]
        self.user = user
        self.account = account
        self.locale = locale
        self.address = address
        self.agent = agent
        self.began = self.last_active = datetime.now(UTC)
        self.calls = 0

    def described(self) -> vim.UserSession:
        """Return it as ``SessionManager`` does."""
        return vim.UserSession(
            key=self.key,
            userName=self.user,
            fullName=self.user,
            loginTime=self.began,
            lastActiveTime=self.last_active,
            locale=self.locale,
            messageLocale="en",
            extensionSession=False,
            ipAddress=self.address,
            userAgent=self.agent,
            callCount=Long(self.calls),
        )


#: The session of the call that is under way in this thread.
current: ContextVar[Session | None] = ContextVar("current", default=None)


class TooManySessions(Exception):
    """No more sessions are allowed: the server responds 503."""


class Sessions:
    """The sessions of a server."""

    def __init__(
        self, accounts: Mapping[str, Account], idle: timedelta, on_end: Callable[[Session], None]
    ) -> None:
        """Begin without any.

        :param idle: how long a session may be idle
        :param on_end: called with each session that has ended
        """
        self.idle = idle
        self.limit = MAX_SESSIONS
        #: Who may log in, by name.
        self.accounts = dict(accounts)
        self._on_end = on_end
        self._by_cookie: dict[str, Session] = {}

    def log_in(self, user: str, password: str, locale: str, address: str, agent: str) -> Session:
        """Begin a session.

        :raises InvalidLogin: the user or the password is wrong
        :raises TooManySessions: there are too many
        """
        account = self.accounts.get(user)
        if account is None or account.password != password:
            raise vim.fault.InvalidLogin
        self._end_idle()
        if len(self._by_cookie) >= self.limit:
            raise TooManySessions
        session = Session(user, account, locale, address, agent)
        self._by_cookie[session.cookie] = session
        return session

    def find(self, cookie: str | None) -> Session | None:
        """Return the session of a cookie, unless it has ended; note that it was used."""
        session = self._by_cookie.get(cookie or "")
        if session is None:
            return None
        if self._is_idle(session):
            self.end(session)
            return None
        session.last_active = datetime.now(UTC)
        session.calls += 1
        return session

    def is_alive(self, session: Session) -> bool:
        """Return whether a session has not ended."""
        return session.cookie in self._by_cookie

    def all(self) -> list[Session]:
        """Return the sessions that have not ended."""
        self._end_idle()
        return list(self._by_cookie.values())

    def end(self, session: Session) -> None:
        """Log a session out."""
        if self._by_cookie.pop(session.cookie, None) is not None:
            self._on_end(session)

    def end_all(self) -> None:
        """End all sessions behind their clients' backs."""
        for session in list(self._by_cookie.values()):
            self.end(session)

    def _is_idle(self, session: Session) -> bool:
        return datetime.now(UTC) - session.last_active > self.idle

    def _end_idle(self) -> None:
        for session in list(self._by_cookie.values()):
            if self._is_idle(session):
                self.end(session)


def check(session: Session | None, privilege: str, ref: Any) -> None:
    """Check that a session may do something to an object.

    :raises NotAuthenticated: there is no session, and it needs one
    :raises NoPermission: its account does not have the privilege
    """
    if privilege == ANONYMOUS:
        return
    if session is None:
        raise vim.fault.NotAuthenticated(object=ref, privilegeId=privilege)
    if not session.account.has(privilege, ref._moId):
        missing = vim.fault.NoPermission.EntityPrivileges(entity=ref, privilegeIds=[privilege])
        raise vim.fault.NoPermission(object=ref, privilegeId=privilege, missingPrivileges=[missing])
