"""What was made on the way to something is removed again when that fails."""

import logging
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self

from simplestack import SimplestackError
from simplestack_xen.errors import XapiFailure
from simplestack_xen.xapi.session import XenSession

_log = logging.getLogger(__name__)


class Undo:
    """Runs what was put into it, last first, when its block fails."""

    def __init__(self, session: XenSession) -> None:
        self._session = session
        self._actions: list[tuple[str, Callable[[], object]]] = []

    def later(self, message: str, *parameters: Any) -> None:
        """Send a message if the block fails."""
        self.do(message, lambda: self._session.api.call(message, *parameters, repeatable=True))

    def do(self, what: str, action: Callable[..., object], *parameters: Any) -> None:
        """Do something if the block fails.

        :param what: for the log, should that fail, too
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
            except (XapiFailure, SimplestackError) as failure:  # the first error is the client's
                _log.warning("%s, to undo what failed, failed too: %s", what, failure)
