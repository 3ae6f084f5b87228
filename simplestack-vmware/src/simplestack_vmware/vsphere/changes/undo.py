"""Undo the steps of an operation that fails, although vSphere has errors of its own."""

from types import TracebackType

from simplestack import SimplestackError
from simplestack import Undo as UndoSteps
from simplestack_vmware.errors import translate
from simplestack_vmware.vsphere.connection.limits import undoing
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.sessions.session import VmwareSession

#: How long a task may take to end that `Undo.await_end` waits for.
_END_SECONDS = 60.0


class Undo(UndoSteps):
    """Runs its steps, last first, if its block fails, also if the operation has no time left."""

    def translate(self, error: Exception) -> SimplestackError | None:
        """Translate a fault of vSphere's; return None for other errors."""
        return translate(error)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with undoing():
            super().__exit__(kind, error, traceback)

    def await_end(self, session: VmwareSession, task: Ref, what: str) -> None:
        """Wait for the end of a task before the steps so far: what it makes after them would stay.

        :param what: what the task does, for clients if it does not end: ``the creation of guest 'web'``
        """
        self.do(f"waiting for the end of {what}", session.tasks.await_end, task, _END_SECONDS)
