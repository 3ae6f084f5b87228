"""libvirt's Python binding, imported when it is first used.

So ``simplestack plugins`` is quick, and works on a machine that lacks libvirt. Use it as the module itself:
``from simplestack_kvm.sdk import libvirt``.
"""

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from simplestack import HypervisorUnavailable
from simplestack_kvm.sdk.handles import free_outside_collections
from simplestack_kvm.sdk.reads import repeat_unexplained_reads

__all__ = ["is_loaded", "libvirt"]

if TYPE_CHECKING:
    import libvirt
else:

    class _Libvirt:
        """Stands in for the module until the first attribute of it is needed."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("simplestack_"):  # core looks for its marks on all that a hook module holds
                raise AttributeError(name)
            module = _load()
            # Later look-ups find it here and do not come back.
            value = self.__dict__[name] = getattr(module, name)
            return value

    libvirt = _Libvirt()


def is_loaded() -> bool:
    """Return whether libvirt was imported. Before that, it cannot raise errors."""
    return sys.modules.get("libvirt") is not None


@cache
def _load() -> Any:
    try:
        module = import_module("libvirt")
    except ImportError as error:
        raise HypervisorUnavailable(
            f"libvirt cannot be loaded on the machine that runs this service ({error}): "
            "install libvirt's client library (Debian: libvirt0) and `pip install libvirt-python`"
        ) from None
    # libvirt prints each error on standard error, too; ours go to the log, with the request's id.
    module.registerErrorHandler(_discard, None)
    free_outside_collections(module)
    repeat_unexplained_reads(module)
    return module


def _discard(_context: None, _error: tuple[Any, ...]) -> None:
    """Every error that libvirt reports is also raised as an exception."""
