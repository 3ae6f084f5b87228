"""A hypervisor's SDK, imported when a plugin first uses it."""

import logging
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any

from simplestack.errors import HypervisorUnavailable
from simplestack.markers import PROJECT_NAME

_log = logging.getLogger("simplestack.plugins")


class LazySdk:
    """Stands in for the module of an SDK, and imports it when an attribute is first used.

    So ``simplestack plugins`` is fast, and a plugin loads on a machine that lacks the SDK:

    .. code-block:: python

        if TYPE_CHECKING:
            import libvirt
        else:
            libvirt = LazySdk("libvirt", advice="run `pip install libvirt-python` there")

    The first use raises HypervisorUnavailable if the module cannot be imported.
    """

    def __init__(self, module: str, *, advice: str, prepare: Callable[[Any], object] | None = None) -> None:
        """Import nothing yet.

        :param module: name of the module
        :param advice: what to do on the machine that runs the service if the import fails
        :param prepare: called once with the module, before its first use
        """
        self._module = module
        self._advice = advice
        self._prepare = prepare
        self._lock = threading.Lock()
        self._loaded: Any = None

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the module."""
        if name.startswith(f"{PROJECT_NAME}_"):  # pluggy looks for its marks on all that a hook module holds
            raise AttributeError(name)
        # Later lookups find it here and do not come back.
        value = self.__dict__[name] = getattr(self._load(), name)
        return value

    def _load(self) -> Any:
        with self._lock:
            if self._loaded is None:
                try:
                    module = import_module(self._module)
                except ImportError as error:
                    # Only for the log: its text may have paths of the machine.
                    _log.error("cannot import %s: %s", self._module, error)
                    raise HypervisorUnavailable(
                        f"cannot import {self._module} on the machine that runs this service: {self._advice}"
                    ) from None
                if self._prepare is not None:
                    self._prepare(module)
                self._loaded = module
            return self._loaded


def import_errors(package: str) -> list[str]:
    """Import the SDKs of a plugin now, and return why some cannot be imported.

    :param package: the plugin's import package, whose modules have been imported
    """
    own = [value for name, value in sys.modules.items() if f"{name}.".startswith(f"{package}.")]
    found = {id(value): value for each in own for value in vars(each).values() if type(value) is LazySdk}
    errors = []
    for sdk in found.values():
        module, advice = sdk._module, sdk._advice  # noqa: SLF001  a public name would hide one of the SDK
        try:
            import_module(module)
        except ImportError as error:
            errors.append(f"cannot import {module} ({error}): {advice}")
    return errors
