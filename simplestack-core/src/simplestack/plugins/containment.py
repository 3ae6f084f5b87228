"""Running a plugin's code while it is loaded: whatever it raises, or a hang, is that plugin's fault alone.

A plugin may raise anything: SystemExit, KeyboardInterrupt, an exception class of its own. What a *signal
handler* raises meanwhile is something else: Ctrl-C at the terminal, or a server that is told to stop. That is
passed on, even when the plugin catches it. Python runs signal handlers in the main thread, in the middle of
whatever that executes, so they are wrapped while plugin code runs, to know which exceptions are theirs.

The time limit works the same way: a second thread sends SIGALRM to the main thread, whose handler raises.
This ends a loop, a sleep, and a wait for a socket or a lock, and leaves no thread behind. It cannot end
native code that never returns, a plugin that handles SIGALRM itself, nor one that is not loaded in the main
thread: then the log says which plugin it is. Nothing here helps against ``os._exit`` or a crash.
"""

import logging
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType, TracebackType
from typing import Any, Self, TypeVar

from simplestack.plugins.errors import PluginFault
from simplestack.plugins.explanation import explain, place_of

_log = logging.getLogger("simplestack.plugins")

#: How often code that goes on after its time limit is interrupted again.
_REPEAT_SECONDS = 1

T = TypeVar("T")


class TimeLimitExceeded(BaseException):
    """The time limit has passed. Not an Exception, which plugin code is likelier to catch."""


@dataclass(frozen=True, slots=True)
class PluginCode:
    """The code of one plugin, to be run with :meth:`run` while the plugin is loaded."""

    name: str
    distribution: str
    version: str
    #: The plugin's top-level import package.
    package: str
    #: Time limit for each step.
    limit_seconds: float

    def run(self, step: str, call: Callable[[], T]) -> T:
        """Return what a call of the plugin's code returns.

        :param step: what is being done, for messages: ``importing plugin_example:plugin``
        :raises PluginFault: the call raised anything, as it is made to at its time limit; where it catches
            that and returns late, its result counts
        """
        watch = _Watch(self, step)
        try:
            with watch:
                watch.begin()
                result = call()
        except BaseException as error:
            if watch.raised_by_handler is not None:
                raise watch.raised_by_handler from None
            if isinstance(error, PluginFault):
                raise
            # An exception of the plugin's own class makes its text with the plugin's code.
            reason = self.run(step, partial(self._reason, step, error, is_overdue=watch.is_overdue))
            raise PluginFault(reason) from error
        if watch.raised_by_handler is not None:  # the plugin has caught it
            raise watch.raised_by_handler
        return result

    def _reason(self, step: str, error: BaseException, *, is_overdue: bool) -> str:
        if not is_overdue:
            return f"{step} failed: {explain(error, self.package, self.distribution)}"
        place = place_of(error, self.package)
        where = f" (stopped at {place})" if place else ""
        return f"{step} did not end within {self.limit_seconds:g} s{where}"


class _Watch:
    """Knows what signal handlers raise while a block runs, and interrupts the block at its time limit."""

    def __init__(self, code: PluginCode, step: str) -> None:
        self.raised_by_handler: BaseException | None = None
        self.is_overdue = False
        self._code = code
        self._step = step
        self._previous: dict[int, Any] = {}
        self._is_running = False
        self._ended = threading.Event()
        self._timer = threading.Thread(target=self._interrupt, name="simplestack-plugin-timer", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                # None is a handler that was not installed from Python, and cannot be put back.
                if callable(handler) or (number == signal.SIGALRM and handler is not None):
                    self._previous[number] = handler
                    signal.signal(number, self._handle)
        try:
            self._timer.start()
        except Exception as error:  # the system has no more threads
            self._restore_handlers()
            raise PluginFault(f"{self._step} has no time limit: {error}") from error
        return self

    def begin(self) -> None:
        """Let signal handlers raise from now on, in the block: what `__enter__` raises skips `__exit__`."""
        self._is_running = True
        if self.raised_by_handler is not None:
            raise self.raised_by_handler

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._is_running = False
        self._ended.set()
        self._timer.join()
        self._restore_handlers()

    def _restore_handlers(self) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        # An exception in __enter__ or __exit__ would leave these handlers installed. `run` raises what is
        # noted here.
        may_raise = self._is_running and (frame is None or frame.f_code is not _Watch.__exit__.__code__)
        if number == signal.SIGALRM and self.is_overdue:
            if may_raise:
                raise TimeLimitExceeded
            return
        handler = self._previous[number]
        if not callable(handler):
            return
        try:
            handler(number, frame)
        except BaseException as error:
            self.raised_by_handler = error
            if may_raise:
                raise

    def _interrupt(self) -> None:
        """Interrupt the block until it ends; report one that does not."""
        if self._ended.wait(self._code.limit_seconds):
            return
        self.is_overdue = True
        self._interrupt_once()
        is_reported = False
        while not self._ended.wait(_REPEAT_SECONDS):
            if not is_reported:
                is_reported = True
                _log.warning(
                    "%s of plugin %r (%s %s) has taken more than %g s and cannot be interrupted; uninstall "
                    "the plugin, or leave it out of server.hypervisors or server.services",
                    self._step,
                    self._code.name,
                    self._code.distribution,
                    self._code.version,
                    self._code.limit_seconds,
                )
            self._interrupt_once()

    def _interrupt_once(self) -> None:
        # Another thread runs the block, or the plugin has put another action in place: the default one would
        # end the process.
        if signal.getsignal(signal.SIGALRM) != self._handle:
            return
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGALRM)
