"""XenServer's SDK, imported when it is first used.

So ``simplestack plugins`` is quick, and works where the SDK is missing. Use it as the module itself:
``from simplestack_xen.sdk import XenAPI``.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from simplestack import HypervisorUnavailable

__all__ = ["XenAPI", "is_loaded"]

if TYPE_CHECKING:
    import XenAPI
else:

    class _XenAPI:
        """Stands in for the module until the first attribute of it is needed."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("simplestack_"):  # core looks for its marks on all that a hook module holds
                raise AttributeError(name)
            # Later look-ups find it here and do not come back.
            value = self.__dict__[name] = getattr(_load(), name)
            return value

    XenAPI = _XenAPI()


def is_loaded() -> bool:
    """Tell whether the SDK was imported; before that there can be no failure of its kind."""
    return sys.modules.get("XenAPI") is not None


def _load() -> Any:
    try:
        return import_module("XenAPI")
    except ImportError as error:
        raise HypervisorUnavailable(
            f"XenServer's SDK cannot be loaded on the machine that runs this service ({error}): "
            "`pip install XenAPI`"
        ) from None
