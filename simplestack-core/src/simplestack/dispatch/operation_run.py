"""Run the operation of a request, which service plugins wrap."""

import time
from collections.abc import Callable
from operator import is_
from typing import Any, TypeVar

from simplestack.dispatch.frames import release_frames
from simplestack.dispatch.hook_run import HookRun, close_result
from simplestack.dispatch.nested_arguments import nested_arguments
from simplestack.dispatch.results import check_result, is_fixed
from simplestack.dispatch.streams import WatchedChunks, close_chunks
from simplestack.entities.transfer import Export
from simplestack.sessions.time_limits import Deadline, current_deadline

T = TypeVar("T")

#: A value that service plugins cannot return.
_NO_RESULT = object()


class OperationRun(HookRun):
    """The run of an operation. It checks the results of service plugins, and calls hooks for them."""

    #: Whether the service plugins have returned: then their context can no longer be used.
    has_ended = False
    #: The result, if nothing in it can change.
    fixed_result: Any = _NO_RESULT
    _result: Any = _NO_RESULT
    _items: tuple[Any, ...] | None = None

    @property
    def left_seconds(self) -> float:
        """How much time is left of the operation's limit, for what service plugins do."""
        return self._started_seconds + self.limit_seconds - time.monotonic()

    def call_nested(self, hook: str, arguments: dict[str, Any]) -> Any:
        """Call a hook for the same user, on a session from the pool. This run holds no session meanwhile.

        It is not counted against the host's calls: it has the thread of the operation.

        :raises TypeError: the hook is unknown, or does not take these arguments
        :raises InvalidArguments: an ID or a name is none that a client could send
        """
        arguments = nested_arguments(self.connector.hypervisor, hook, arguments)
        common = self.call, hook, arguments, self.connector, self._pool
        run = HookRun(*common, audit=self._audit, nested_in=self.operation)
        try:
            if self._audit is None:
                return run.perform()
            with self._audit.nested(hook, arguments, self.call.context, self.operation):
                return run.perform()
        except Exception as error:
            release_frames(error)  # the service plugin may go on
            raise

    def returned(self, source: str, result: Any) -> Any:
        """Check the result of a service plugin, and return it.

        An export that the plugin replaced by another one ends with that.

        :param source: which plugin it is
        :raises WrongResult: it does not have the operation's type
        """
        before = self._result
        if result is before and self._has_its_items(result):
            return result
        if result is None:
            source += " (end its wrapper with `return (yield)`)"
        try:
            check_result(self.connector.hypervisor, self.operation, result, source)
        except BaseException:
            close_result(result)
            self.raised()
            raise
        if isinstance(before, Export):  # then the result is one, too
            chunks = WatchedChunks(result.chunks, lambda *_: close_chunks(before.chunks), self._service_part)
            result = Export(chunks, result.size)
        self.keep(result)
        return result

    def raised(self) -> None:
        """Close a result that a service plugin has not returned."""
        if isinstance(self._result, Export):
            close_chunks(self._result.chunks)
        self._result = self.fixed_result = _NO_RESULT

    def keep(self, result: Any) -> None:
        """Keep a checked result, and in what a service plugin could change it."""
        self._result = result
        kind: type = type(result)
        if is_fixed(kind):
            self.fixed_result = result
            return
        self.fixed_result = _NO_RESULT
        is_list = kind is list and all(map(is_fixed, set(map(type, result))))
        self._items = tuple(result) if is_list else None

    def _service_part(self, part: Callable[[], T]) -> T:
        """Fetch a chunk of an export that a service plugin has wrapped."""
        token = current_deadline.set(Deadline(self.connector.settings.call_timeout_seconds))
        try:
            return part()
        finally:
            current_deadline.reset(token)

    def _has_its_items(self, result: list[Any]) -> bool:
        """Return whether a checked list still has the same items, all of them immutable."""
        items = self._items
        return items is not None and len(items) == len(result) and all(map(is_, items, result))
