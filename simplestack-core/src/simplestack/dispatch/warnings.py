"""Warnings of successful operations for clients."""

import logging
from contextvars import ContextVar

from simplestack.wording import one_line

_log = logging.getLogger("simplestack.dispatch")

#: Warnings of the current request.
current_warnings: ContextVar[list[str] | None] = ContextVar("simplestack.warnings", default=None)


def warn(message: str) -> None:
    """Report what a successful operation could not do or find out.

    The response has the message in its header ``X-Simplestack-Warning``, and the audit line has it in
    ``warnings``. In a script (:class:`~simplestack.Stack`) it is logged. An example: a guest is deleted, and
    one of its volumes has to stay. If the operation fails, raise an error instead.

    :param message: what was left undone and why, in words for the client, without paths of the host
    """
    text = one_line(message)
    warnings = current_warnings.get()
    if warnings is None:
        _log.warning("%s", text)
    else:
        warnings.append(text)
