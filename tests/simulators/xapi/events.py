"""``event.from``: what has changed since a token, and with an empty token all there is."""

import re
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from simulators.xapi.database import Database, Object
from simulators.xapi.datamodel import classes
from simulators.xapi.failures import Failure
from simulators.xapi.messages import Handler
from simulators.xapi.types import struct_xml

#: Tokens are compared as text.
_TOKEN = "{:020d}"
_TOKEN_TEXT = re.compile(r"\A[0-9]{20}\Z")
#: XAPI tells nobody of these.
_UNTOLD = frozenset({"session", "event"})


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
            "timestamp": "0.",
            "class": self.subject.class_.name.lower(),
            "operation": self.operation,
            "ref": self.subject.ref,
            "obj_uuid": str(self.subject["uuid"]),
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
        counts = struct_xml({name: str(count) for name, count in self.counts.items()})
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

    def __init__(self, database: Database) -> None:
        self._database = database

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {"event.from": self._from, "event.get_current_id": lambda: self._database.change + 1}

    def _from(self, subscriptions: list[str], token: str, timeout_seconds: float) -> Batch:
        """Wait for changes since a token.

        :raises Failure: EVENT_FROM_TOKEN_PARSE_FAILURE or EVENT_SUBSCRIPTION_PARSE_FAILURE
        """
        if token and not _TOKEN_TEXT.match(token):
            raise Failure("EVENT_FROM_TOKEN_PARSE_FAILURE", token)
        wanted = [_subscription(text) for text in subscriptions]
        since = int(token or 0)
        deadline = time.monotonic() + timeout_seconds
        with self._database.lock:
            while not (events := sorted(self._since(since, wanted))) and token:
                missing = deadline - time.monotonic()
                if missing <= 0:
                    break
                self._database.changes.wait(missing)
            counts = {
                name.lower(): sum(1 for _ in self._database.all(name))
                for name in classes()
                if name not in _UNTOLD
            }
            return Batch(_TOKEN.format(self._database.change), events, counts)

    def _since(self, since: int, wanted: list[tuple[str, str]]) -> Iterator[Event]:
        for name in classes():
            if name in _UNTOLD:
                continue
            for found in self._database.all(name):
                if found.changed > since and _is_wanted(found, wanted):
                    operation = "add" if found.added > since else "mod"
                    yield Event(found.changed, operation, found)
        if since:
            for change, found in self._database.removed:
                is_news = change > since >= found.added and found.class_.name not in _UNTOLD
                if is_news and _is_wanted(found, wanted):
                    yield Event(change, "del", found)


def _subscription(text: str) -> tuple[str, str]:
    """Return the class, in small letters, and the reference that is meant; ``*`` is any."""
    name, _, ref = text.partition("/")
    if name != "*" and name.lower() not in {found.lower() for found in classes()}:
        raise Failure("EVENT_SUBSCRIPTION_PARSE_FAILURE", text)
    return name.lower(), ref or "*"


def _is_wanted(found: Object, wanted: list[tuple[str, str]]) -> bool:
    own = found.class_.name.lower()
    return any(name in ("*", own) and ref in ("*", found.ref) for name, ref in wanted)
