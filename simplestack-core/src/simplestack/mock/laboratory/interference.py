"""What comes between a call and the mock's hook."""

import errno
import time
from collections.abc import Callable, Iterator
from typing import Any

from simplestack import Export, HypervisorTimeout, ImportStream, time_left_seconds
from simplestack.mock.laboratory import store
from simplestack.mock.laboratory.rules import Report
from simplestack.mock.session import MockSession
from simplestack.mock.settings import MockSettings

Caller = Callable[..., Any]
_POLL_SECONDS = 0.05


class Dropped(ConnectionResetError):
    """The client's connection is to be closed, without a response or in the middle of one."""

    audit_outcome = "ConnectionDropped"

    def __init__(self) -> None:
        super().__init__(errno.ECONNRESET, "a rule of fault injection drops the connection")


def around(settings: MockSettings) -> Callable[[str, Caller], Caller] | None:
    """Return what goes around every hook; None where the laboratory is off."""
    return _interfered if settings.laboratory else None


def mount(app: Any, settings: MockSettings, admit: Callable[[Any], Any]) -> None:
    """Add the test API to the REST service, where the laboratory is on."""
    if settings.laboratory:
        from simplestack.mock.laboratory.pages import add_pages  # noqa: PLC0415  falcon is the service's alone

        add_pages(app, settings, admit)


def _interfered(hook: str, caller: Caller) -> Caller:
    """Return a hook's caller that follows the rules of the world."""

    def interfere(*, session: MockSession, **arguments: Any) -> Any:
        with session.change():
            due = store.count(session.connection, session.name, hook, arguments)
        fates = [_Fate(session, hook, report) for report in due]
        midway = [fate for fate in fates if fate.rule.after_bytes is not None]
        for fate in fates:
            if fate.rule.when == "before" and fate not in midway:
                fate.come()
        for fate in midway:
            if "stream" in arguments:
                arguments["stream"] = _CutStream(arguments["stream"], fate)
        result = caller(session=session, **arguments)
        if isinstance(result, Export):
            for fate in midway:
                result = Export(_cut_chunks(result.chunks, fate), result.size)
        for fate in fates:
            if fate.rule.when == "after":
                fate.come()
        return result

    return interfere


class _Fate:
    """A rule that happens to a call."""

    def __init__(self, session: MockSession, hook: str, report: Report) -> None:
        self._session = session
        self._hook = hook
        self._number = report.id
        self.rule = report.rule

    @property
    def after_bytes(self) -> int:
        """How much of a stream passes before."""
        return self.rule.after_bytes or 0

    def come(self) -> None:
        """Let it happen. What returns, goes on."""
        match self.rule.action:
            case "delay":
                time.sleep(self.rule.delay_seconds)
            case "error":
                raise self.rule.exception(self._hook)
            case "drop":
                raise Dropped
            case "hang":
                self._hang()

    def _hang(self) -> None:
        limit_seconds = time_left_seconds()
        while store.exists(self._session.connection, self._number):
            if time_left_seconds() <= 0:
                raise HypervisorTimeout(
                    f"mock did not answer within {limit_seconds:.3g} s; whether {self._hook} took effect "
                    "is unknown"
                )
            time.sleep(_POLL_SECONDS)


class _CutStream:
    """A client's bytes, up to where something happens."""

    def __init__(self, stream: ImportStream, fate: _Fate) -> None:
        self._stream = stream
        self._fate = fate
        self._left = fate.after_bytes
        self._has_come = False

    def read(self, size: int, /) -> bytes:
        """Read from the client."""
        if self._has_come:
            return self._stream.read(size)
        piece = self._stream.read(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        if piece:
            return piece
        self._has_come = True
        self._fate.come()
        return self._stream.read(size)


def _cut_chunks(chunks: Iterator[bytes], fate: _Fate) -> Iterator[bytes]:
    """Yield an image's bytes, with what happens between them."""
    left: int | None = fate.after_bytes
    try:
        for chunk in chunks:
            if left is None or len(chunk) < left:
                yield chunk
                left = None if left is None else left - len(chunk)
                continue
            if left:
                yield chunk[:left]
            fate.come()
            if chunk[left:]:
                yield chunk[left:]
            left = None
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
