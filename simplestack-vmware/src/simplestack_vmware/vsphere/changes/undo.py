"""Undo the steps of an operation that fails."""

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from simplestack import SimplestackError
from simplestack_vmware.vsphere.connection.faults import Fault

_log = logging.getLogger(__name__)


class Undo:
    """Runs its undo steps, last first, if its block fails."""

    def __init__(self) -> None:
        self._actions: list[tuple[str, Callable[[], object]]] = []

    def do(self, what: str, action: Callable[..., object], *parameters: Any, **named: Any) -> None:
        """Call a function if the block fails.

        :param what: words for the log if this fails, too
        """
        self._actions.append((what, partial(action, *parameters, **named)))

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
            except (Fault, SimplestackError) as failure:  # the client gets the first error
                _log.warning("%s failed, too, while undoing a failed operation: %s", what, failure)
