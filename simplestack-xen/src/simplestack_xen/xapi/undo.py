"""Undo the steps of an operation that fails, with messages of XAPI."""

from typing import Any

from simplestack import SimplestackError
from simplestack import Undo as UndoSteps
from simplestack_xen.errors import translate
from simplestack_xen.xapi.messages import Messages


class Undo(UndoSteps):
    """Runs its steps, last first, if its block fails."""

    def translate(self, error: Exception) -> SimplestackError | None:
        """Translate an error of XAPI; return None for other errors."""
        return translate(error)

    def later(self, message: Messages, *parameters: Any) -> None:
        """Send a message if the block fails; twice where it is unknown whether XAPI got it.

        The message sets something of an object, or destroys it: if that is gone, nothing is left to undo.
        """
        self.do_repeatable(str(message), message, *parameters)
