"""libvirt's Python binding, imported when it is first used.

Use it as the module itself: ``from simplestack_kvm.sdk import libvirt``.
"""

from typing import TYPE_CHECKING, Any

from simplestack import LazySdk
from simplestack_kvm.sdk.handles import free_outside_collections
from simplestack_kvm.sdk.reads import repeat_unexplained_reads

__all__ = ["libvirt"]


def _prepare(module: Any) -> None:
    # libvirt prints each error on standard error, too; ours go to the log, with the request's id.
    module.registerErrorHandler(_discard, None)
    free_outside_collections(module)
    repeat_unexplained_reads(module)


def _discard(_context: None, _error: tuple[Any, ...]) -> None:
    """Every error that libvirt reports is also raised as an exception."""


if TYPE_CHECKING:
    import libvirt
else:
    libvirt = LazySdk(
        "libvirt",
        advice="install libvirt's client library (Debian: libvirt0), and `pip install libvirt-python`",
        prepare=_prepare,
    )
