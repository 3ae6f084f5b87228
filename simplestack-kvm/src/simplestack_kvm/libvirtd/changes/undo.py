"""Apply several steps. If one fails, undo the earlier ones, and name what cannot be undone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simplestack import SimplestackError
from simplestack import Undo as UndoSteps
from simplestack_kvm.errors import translate


class Undo(UndoSteps):
    """Runs its steps, last first, if its block fails."""

    def translate(self, error: Exception) -> SimplestackError | None:
        """Translate an error of libvirt; return None for other errors."""
        return translate(error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A change."""

    apply: Callable[[], object]
    #: Restores the former state, whether or not `apply` took effect. None: it cannot be undone.
    undo: Callable[[], object] | None
    #: What `undo` does, for clients if it fails: ``changing the CD drive back``.
    undoing: str = ""


def apply_all(steps: Sequence[Step]) -> None:
    """Apply steps in order. If one fails, undo it and the earlier ones, last first.

    A step that cannot be undone must be the last one.
    """
    with Undo() as undo:
        for step in steps:
            if step.undo is not None:
                undo.do(step.undoing, step.undo)
            step.apply()


def with_remains(error: BaseException, remains: Sequence[str]) -> BaseException:
    """Return an error that also has sentences on what could not be undone; without any, the error itself."""
    return Undo().with_remains(error, remains)
