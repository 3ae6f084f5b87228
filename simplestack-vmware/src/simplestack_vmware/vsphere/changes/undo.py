"""Undo the steps of an operation that fails, although vSphere has errors of its own."""

from simplestack import SimplestackError
from simplestack import Undo as UndoSteps
from simplestack_vmware.errors import translate


class Undo(UndoSteps):
    """Runs its steps, last first, if its block fails."""

    def translate(self, error: Exception) -> SimplestackError | None:
        """Translate a fault of vSphere's; return None for other errors."""
        return translate(error)
