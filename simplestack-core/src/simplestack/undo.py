"""Undo the steps of an operation that fails."""

import logging
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple, Self

from simplestack.errors import UNKNOWN_OUTCOME, EntityNotFound, SimplestackError

_log = logging.getLogger("simplestack.undo")


class _Step(NamedTuple):
    what: str
    action: Callable[[], object]
    is_repeatable: bool


class Undo:
    """Runs its steps, last first, if its block fails. The client gets the error of the block.

    .. code-block:: python

        with Undo() as undo:
            machine = lab.create(name)
            undo.do("removing the new machine", lab.remove, machine)
            lab.connect(machine, network)

    A step that fails keeps no other from being run, and the error names it: ``the lab refused: no such
    network; removing the new machine failed, too``.

    A plugin whose SDK has errors of its own uses a subclass with `translate`.
    """

    def __init__(self) -> None:
        self._steps: list[_Step] = []

    def translate(self, error: Exception) -> SimplestackError | None:
        """Return what an error of the SDK means to clients; None for a defect."""
        del error
        return None

    def do(self, what: str, action: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Call a function if the block fails.

        If a change may take effect although its call fails, add its step before you make the change.

        :param what: what the step does, for clients if it fails: ``removing the new machine``
        """
        self._steps.append(_Step(what, partial(action, *arguments, **named), is_repeatable=False))

    def do_repeatable(self, what: str, action: Callable[..., object], *arguments: Any, **named: Any) -> None:
        """Call a function if the block fails, and once more if it is unknown whether it took effect.

        It makes one change, which does no harm if it is made twice. If the entity no longer exists, there is
        nothing to undo.
        """
        self._steps.append(_Step(what, partial(action, *arguments, **named), is_repeatable=True))

    def with_remains(self, error: BaseException, remains: Sequence[str]) -> BaseException:
        """Return an error that also says what could not be undone; without that, the error itself.

        A defect stays as it is, since clients read nothing of it. The log says what could not be undone.

        :param remains: sentences for the client, without a full stop
        """
        if not remains:
            return error
        known = self._meaning(error)
        if known is None:
            _log.error("not undone after a failure: %s", "; ".join(remains))
            return error
        known.message = "; ".join([known.message, *remains])
        known.args = (known.message,)  # what scripts see in a traceback
        return known

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
        failed = [step.what for step in reversed(self._steps) if not self._is_undone(step)]
        raised = self.with_remains(error, [f"{what} failed, too" for what in failed])
        if raised is not error:
            raise raised from error

    def _is_undone(self, step: _Step) -> bool:
        try:
            try:
                step.action()
            except Exception as failure:
                if not (step.is_repeatable and self._is_unknown(failure)):
                    raise
                step.action()
        except Exception as failure:
            meaning = self._meaning(failure)
            if step.is_repeatable and isinstance(meaning, EntityNotFound):
                return True
            # The failure before this one matters more.
            text = "%s failed while undoing a failed operation: %s"
            _log.warning(text, step.what, failure, exc_info=meaning is None)
            return False
        return True

    def _is_unknown(self, failure: Exception) -> bool:
        meaning = self._meaning(failure)
        return meaning is not None and meaning.details.get("code") == UNKNOWN_OUTCOME

    def _meaning(self, error: BaseException) -> SimplestackError | None:
        if isinstance(error, SimplestackError):
            return error
        return self.translate(error) if isinstance(error, Exception) else None
