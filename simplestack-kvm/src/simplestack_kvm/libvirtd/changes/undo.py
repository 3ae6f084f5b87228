"""Apply several steps. If one fails, undo the earlier ones, and name what cannot be undone."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simplestack import SimplestackError
from simplestack_kvm.errors import translate

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change."""

    apply: Callable[[], object]
    #: Restores the former state, whether or not `apply` took effect. None: it cannot be undone.
    undo: Callable[[], object] | None
    #: A sentence for the client if `undo` fails.
    remains: str = ""


def apply_all(steps: Sequence[Step]) -> None:
    """Apply steps in order. If one fails, undo it and the earlier ones, last first.

    A step that cannot be undone must be the last one.
    """
    tried: list[Step] = []
    try:
        for step in steps:
            tried.append(step)
            step.apply()
    except BaseException as error:
        remains = [step.remains for step in reversed(tried) if not _is_undone(step)]
        named = with_remains(error, remains)
        if named is error:
            raise
        raise named from error


def with_remains(error: BaseException, remains: Sequence[str]) -> BaseException:
    """Return an error that also names what could not be undone; without that, the error itself."""
    if not remains:
        return error
    known = error if isinstance(error, SimplestackError) else None
    if known is None and isinstance(error, Exception):
        known = translate(error)
    if known is None:  # a defect, which clients read nothing of
        _log.error("not undone after a failure: %s", "; ".join(remains))
        return error
    known.message = "; ".join([known.message, *remains])
    return known


def _is_undone(step: Step) -> bool:
    if step.undo is None:
        return True
    try:
        step.undo()
    except Exception:
        # The failure before this one matters more; what remains goes to the client with it.
        _log.warning("a change could not be undone: %s", step.remains, exc_info=True)
        return False
    return True
