"""XenServer's SDK, imported when it is first used.

Use it like the module itself: ``from simplestack_xen.sdk import XenAPI``.
"""

from typing import TYPE_CHECKING

from simplestack import LazySdk

__all__ = ["XenAPI"]

if TYPE_CHECKING:
    import XenAPI
else:
    XenAPI = LazySdk("XenAPI", advice="run `pip install XenAPI` there")
