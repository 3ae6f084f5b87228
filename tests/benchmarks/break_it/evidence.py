"""What an operator finds of an attack in the log and in the audit."""

import re
import time
from typing import NamedTuple

from support.service import Service

#: A line of the audit may be late, and so may that of a call that is abandoned.
_WAIT_SECONDS = 5.0
_POLL_SECONDS = 0.1
_MAX_CHARACTERS = 150


class Seen(NamedTuple):
    """How much there was in the log and in the audit at some moment."""

    log_characters: int
    audit_characters: int


def seen_by_now(service: Service) -> Seen:
    """Return how much there is in the log and in the audit now."""
    return Seen(len(service.log), len(service.audit_path.read_text()))


def evidence(service: Service, pattern: str, seen: Seen) -> str | None:
    """Return the first text after `seen` that fits a pattern, in the log or else in the audit."""
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        for text in (
            service.log[seen.log_characters :],
            service.audit_path.read_text()[seen.audit_characters :],
        ):
            found = re.search(pattern, text)
            if found:
                return found[0][:_MAX_CHARACTERS]
        if time.monotonic() > deadline:
            return None
        time.sleep(_POLL_SECONDS)
