"""Convert exceptions of plugins to errors for clients and the log."""

import logging
import threading
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

from simplestack.errors import OperationNotSupported, SimplestackError
from simplestack.plugins.description import HypervisorPlugin

_log = logging.getLogger("simplestack.dispatch")

T = TypeVar("T")


class PluginExit(Exception):
    """A plugin raised an exception such as ``SystemExit``. It ends only the call."""


def translating(plugin: HypervisorPlugin[Any], call: Callable[[], T]) -> T:
    """Return the result of a plugin's code, or raise its exception as an error for clients.

    A defect stays as it is, and so does what ends a program. Translating is the plugin's code as well: where
    the call has a time limit, this function belongs within it.
    """
    try:
        return call()
    except Exception as error:
        raise_translated(plugin, error)


def raise_translated(plugin: HypervisorPlugin[Any], error: Exception) -> NoReturn:
    """Raise an exception of a plugin as an error for clients."""
    raised = _translated(plugin, error)
    if raised is error:
        raise error
    raise raised from error


def _translated(plugin: HypervisorPlugin[Any], error: Exception) -> Exception:
    if isinstance(error, SimplestackError):
        return error
    if isinstance(error, NotImplementedError):
        return OperationNotSupported(_text(error) or "the hypervisor does not support this")
    try:
        known = plugin.translate(error)
    except BaseException:
        _log.exception("plugin %r: its translate failed", plugin.name)
        return error
    if known is None or isinstance(known, SimplestackError):
        return known or error
    _log.error("plugin %r: its translate returned %s", plugin.name, type(known).__name__)
    return error


def _text(error: Exception) -> str:
    try:
        return str(error)
    except BaseException:  # the plugin's own class, whose __str__ may do anything; the type says enough
        return ""


def contained(error: BaseException, culprit: str) -> BaseException:
    """Return an exception that ends only the call, for one that would end the program.

    Any other stays what it is, and so does Ctrl-C in a script.
    """
    if isinstance(error, Exception) or (isinstance(error, KeyboardInterrupt) and _is_main_thread()):
        return error
    return PluginExit(f"{culprit} raised {type(error).__name__}, which would have ended the worker")


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
