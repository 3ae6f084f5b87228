"""``event.from``: what has changed since a token, and with an empty token all there is."""

import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from simulators.xapi.database import Database, Object
from simulators.xapi.datamodel import classes
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler, SessionHandler
from simulators.xapi.types import struct_xml

#: Tokens are compared as text. The second number is of messages, which the simulator has none of.
_TOKEN = "{:020d},{:020d}"
_TOKEN_TEXT = re.compile(r"\A(-?[0-9]+),-?[0-9]+\Z")
#: XAPI tells nobody of these.
_UNTOLD = frozenset({"session", "event"})
#: In which order it tells what has happened.
_ORDER = ("add", "mod", "del")


class Event(NamedTuple):
    """One object that was added, changed or removed."""

    change: int
    operation: str
    subject: Object

    @property
    def members(self) -> dict[str, str]:
        """All but the record. Classes are written in small letters, numbers and times as strings."""
        return {
            "id": str(self.change),
            "timestamp": "0.0",
            "class": self.subject.class_.name.lower(),
            "operation": self.operation,
            "ref": self.subject.ref,
        }


class Batch(NamedTuple):
    """An answer of ``event.from``."""

    token: str
    events: list[Event]
    counts: dict[str, int]

    @property
    def xml(self) -> str:
        """The batch's ``<struct>``."""
        events = "".join(f"<value>{self._event_xml(event)}</value>" for event in self.events)
        counts = struct_xml({name: f"<i4>{count}</i4>" for name, count in self.counts.items()})
        return struct_xml(
            {
                "events": f"<array><data>{events}</data></array>",
                "valid_ref_counts": counts,
                "token": self.token,
            }
        )

    @property
    def json(self) -> dict[str, Any]:
        """The batch as a JSON object."""
        events = [
            event.members | ({} if event.operation == "del" else {"snapshot": event.subject.json})
            for event in self.events
        ]
        return {"events": events, "valid_ref_counts": self.counts, "token": self.token}

    @staticmethod
    def _event_xml(event: Event) -> str:
        record = {} if event.operation == "del" else {"snapshot": event.subject.xml}
        return struct_xml(event.members | record)


class Events:
    """Tells of changes."""

    def __init__(self, database: Database, delay_seconds: float) -> None:
        """Begin with what there is.

        :param delay_seconds: how long ``event.from`` waits before it looks, unless tasks alone are asked for
        """
        self._database = database
        self._delay_seconds = delay_seconds

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {"event.get_current_id": lambda: self._database.change + 1}

    def session_handlers(self) -> dict[str, SessionHandler]:
        """Return what the messages do, of which each needs to know its sender."""
        return {"event.from": self._from, "event.inject": self._inject}

    def _from(self, session: Object, subscriptions: list[str], token: str, timeout_seconds: float) -> Batch:
        """Wait for changes since a token.

        :raises Failure: EVENT_FROM_TOKEN_PARSE_FAILURE; SESSION_INVALID, where the session ends meanwhile
        """
        since = _read(token)
        wanted = [_subscription(text) for text in subscriptions]
        if any(name != "task" for name, _ in wanted):
            time.sleep(self._delay_seconds)  # XAPI's `event_from_delay`: several changes are told at once
        deadline = time.monotonic() + timeout_seconds
        with self._database.lock:
            while not (events := sorted(self._since(since, wanted), key=_order)):
                missing = deadline - time.monotonic()
                if missing <= 0:
                    break
                self._database.changes.wait(missing)
                if self._database.find("session", session.ref) is None:
                    raise Failure("SESSION_INVALID", session.ref)
            counts = {
                name.lower(): sum(1 for _ in self._database.all(name))
                for name in classes()
                if name != "event"
            }
            return Batch(_TOKEN.format(self._database.change, 0), events, counts)

    def _inject(self, _session: Object, class_name: str, ref: str) -> str:
        """Tell of an object as if it had changed; return a token of before.

        :raises Failure: HANDLE_INVALID
        """
        with self._database.lock:
            found = self._database.find(class_name, ref) if class_name in classes() else None
            if found is None:
                raise Failure("HANDLE_INVALID", class_name, ref)
            before = self._database.change
            found["uuid"] = found["uuid"]
            return _TOKEN.format(before, 0)

    def _since(self, since: int, wanted: list[tuple[str, str]]) -> Iterator[Event]:
        for name in classes():
            if name in _UNTOLD:
                continue
            for found in self._database.all(name):
                if found.changed > since and _is_wanted(found, wanted):
                    operation = "add" if found.added > since else "mod"
                    yield Event(found.changed, operation, found)
            for change, found in reversed(self._database.removed[name]):
                if change <= since:
                    break
                if since >= found.added and _is_wanted(found, wanted):
                    yield Event(change, "del", found)


def _read(token: str) -> int:
    if not token:
        return 0
    found = _TOKEN_TEXT.match(token)
    if found is None:
        raise Failure("EVENT_FROM_TOKEN_PARSE_FAILURE", token)
    return int(found[1])


def _order(event: Event) -> tuple[int, int]:
    return _ORDER.index(event.operation), event.change


def _subscription(text: str) -> tuple[str, str]:
    """Return the class, in small letters, and the reference that is meant; ``*`` is any.

    A class that nobody knows matches nothing.
    """
    name, _, ref = text.partition("/")
    return name.lower(), ref or "*"


def _is_wanted(found: Object, wanted: list[tuple[str, str]]) -> bool:
    own = found.class_.name.lower()
    return any(name in ("*", own) and ref in ("*", found.ref) for name, ref in wanted)
