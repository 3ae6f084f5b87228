"""XenServer's SDK, imported when it is first used.

So ``simplestack plugins`` is fast, and works without the SDK. Use it like the module itself:
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
        """Stands in for the module, and imports it when an attribute is first used."""

        def __getattr__(self, name: str) -> Any:
            if name.startswith("simplestack_"):  # core looks for its marks on all that a hook module holds
                raise AttributeError(name)
            # Later look-ups find it here and do not come back.
            value = self.__dict__[name] = getattr(_load(), name)
            return value

    XenAPI = _XenAPI()


def is_loaded() -> bool:
    """Return whether the SDK has been imported. Before that, no exception can be one of its errors."""
    return sys.modules.get("XenAPI") is not None


def _load() -> Any:
    try:
        return import_module("XenAPI")
    except ImportError as error:
        raise HypervisorUnavailable(
            f"cannot import XenServer's SDK on the machine that runs this service ({error}): "
            "run `pip install XenAPI` there"
        ) from None
