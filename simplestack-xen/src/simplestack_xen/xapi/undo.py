"""Undo the steps of an operation that fails."""

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from simplestack import UNKNOWN_OUTCOME, HypervisorError, SimplestackError
from simplestack_xen.sdk import XenAPI
from simplestack_xen.xapi.messages import Messages

_log = logging.getLogger(__name__)


class Undo:
    """Runs its undo steps, last first, if its block fails."""

    def __init__(self) -> None:
        self._actions: list[tuple[str, Callable[[], object]]] = []

    def later(self, message: Messages, *parameters: Any) -> None:
        """Send a message if the block fails; twice where it is unknown whether XAPI got it."""
        self.do(str(message), _send_surely, message, *parameters)

    def do(self, what: str, action: Callable[..., object], *parameters: Any) -> None:
        """Call a function if the block fails.

        :param what: words for the log if this fails, too
        """
        self._actions.append((what, partial(action, *parameters)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            return
        for what, action in reversed(self._actions):
            try:
                action()
            except (XenAPI.Failure, SimplestackError) as failure:  # the client gets the first error
                _log.warning("%s failed, too, while undoing a failed operation: %s", what, failure)


def _send_surely(message: Messages, *parameters: Any) -> None:
    try:
        message(*parameters)
    except HypervisorError as error:
        if error.details.get("code") != UNKNOWN_OUTCOME:
            raise
        message(*parameters)  # if the first one took effect, this one has nothing left to do
