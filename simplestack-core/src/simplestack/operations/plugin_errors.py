"""An exception that a plugin let through, as the client and the log may see it."""

import logging
import threading
from typing import Any

from simplestack.errors import OperationNotSupported, SimplestackError
from simplestack.plugins.description import HypervisorPlugin

_log = logging.getLogger("simplestack.operations")


class PluginExit(Exception):
    """A plugin raised what ends a program, ``SystemExit`` for example. It ends the call alone."""


def translated(plugin: HypervisorPlugin[Any], error: BaseException) -> BaseException:
    """Return an exception of a plugin as the client may see it; a defect stays as it is."""
    if isinstance(error, SimplestackError):
        return error
    if isinstance(error, NotImplementedError):
        return OperationNotSupported(str(error) or "the hypervisor cannot do this")
    if not isinstance(error, Exception):
        return contained(error, f"plugin {plugin.name!r}")
    try:
        known = plugin.translate(error)
    except BaseException:
        _log.exception("plugin %r: its translate failed", plugin.name)
        return error
    if known is None or isinstance(known, SimplestackError):
        return known or error
    _log.error("plugin %r: its translate returned %s", plugin.name, type(known).__name__)
    return error


def contained(error: BaseException, culprit: str) -> BaseException:
    """Return an exception that ends no more than the call for one that would end the program.

    Ctrl-C in a script stays what it is.
    """
    if isinstance(error, KeyboardInterrupt) and _is_main_thread():
        return error
    return PluginExit(f"{culprit} raised {type(error).__name__}, which would have ended the worker")


def _is_main_thread() -> bool:
    return threading.current_thread() is threading.main_thread()
