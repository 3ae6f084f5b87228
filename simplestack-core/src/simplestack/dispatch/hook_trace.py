"""Log each call of a hook: its arguments, its outcome and its duration.

pluggy calls these functions before and after each hook of a manager. Without tracing, they cost nothing. A
line never has a secret: it shows only the type and the size of a session, a body, a stream or a result, and
only the class of an error, since the message of an SDK may contain anything.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pluggy
from msgspec import UNSET, Struct

from simplestack.entities.call_context import CallContext
from simplestack.entities.transfer import Export

_log = logging.getLogger("simplestack.hooks")

_MAX_TEXT_LENGTH = 80
_NUMBERS = (bool, int, float)
_COLLECTIONS = (list, tuple, set, frozenset, dict, str, bytes)


class _Starts(threading.local):
    """Start times of the current calls of this thread: hooks may be nested."""

    def __init__(self) -> None:
        self.seconds: list[float] = []


def trace_hooks(manager: pluggy.PluginManager, owner: str, request_id: Callable[[], str]) -> None:
    """Log each call of a manager's hooks when it ends.

    :param owner: name of the plugin for the log
    :param request_id: returns the ID of this thread's request
    """
    starts = _Starts()

    def before(_hook: str, _implementations: object, _arguments: object) -> None:
        starts.seconds.append(time.perf_counter())

    def after(
        outcome: pluggy.Result[Any], hook: str, _implementations: object, arguments: Mapping[str, Any]
    ) -> None:
        duration_ms = 1000 * (time.perf_counter() - starts.seconds.pop())
        call = f"{hook}({', '.join(f'{name}={_shown(name, value)}' for name, value in arguments.items())})"
        end = _ending(outcome)
        _log.info("request %s: %s: %s %s in %.3f ms", request_id(), owner, call, end, duration_ms)

    manager.add_hookcall_monitoring(before, after)


def _ending(outcome: pluggy.Result[Any]) -> str:
    if outcome.exception is not None:
        return f"raised {type(outcome.exception).__name__}"
    return f"returned {_kind(outcome.get_result())}"


def _shown(name: str, value: Any) -> str:
    """Return an argument for the log. Values that may be secret are shown as their type."""
    if name == "session":
        return type(value).__name__
    if type(value) in _NUMBERS:
        return repr(value)
    if type(value) is str:
        return _text(value)
    if isinstance(value, CallContext):
        return f"{_text(value.user)} at {value.hypervisor}/{value.host}"
    if name == "arguments" and isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_shown(key, own)}' for key, own in value.items())}}}"
    return _kind(value)


def _text(value: str) -> str:
    """Return text, shortened and with escaped control characters."""
    return repr(value) if len(value) <= _MAX_TEXT_LENGTH else f"{value[:_MAX_TEXT_LENGTH]!r}..."


def _kind(value: Any) -> str:
    """Return the type and the size of a value."""
    if value is None:
        return "None"
    kind = type(value).__name__
    if isinstance(value, Export):
        return kind if value.size is None else f"{kind} of {value.size} bytes"
    if isinstance(value, Struct):
        count = sum(getattr(value, name) is not UNSET for name in value.__struct_fields__)
        return f"{kind} of {count} fields"
    return f"{kind} of {len(value)}" if type(value) in _COLLECTIONS else kind
