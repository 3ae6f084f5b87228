"""VMware's SDK, pyvmomi, imported when it is first used.

Use its namespaces as in scripts: ``from simplestack_vmware.sdk import vim, vmodl``.
"""

from typing import TYPE_CHECKING, Any

from simplestack import LazySdk

__all__ = ["SoapAdapter", "VmomiSupport", "vim", "vmodl"]

if TYPE_CHECKING:
    from pyVmomi import SoapAdapter, VmomiSupport, vim, vmodl
else:
    _pyvmomi = LazySdk("pyVmomi", advice="run `pip install pyvmomi` there")

    class _Namespace:
        """A namespace of pyvmomi. They are no modules, but made when pyvmomi is imported."""

        def __init__(self, name: str) -> None:
            self._name = name

        def __getattr__(self, name: str) -> Any:
            if name.startswith("simplestack_"):  # pluggy looks for its marks on all that a hook module holds
                raise AttributeError(name)
            # Later lookups find it here and do not come back.
            value = self.__dict__[name] = getattr(getattr(_pyvmomi, self._name), name)
            return value

    SoapAdapter = _Namespace("SoapAdapter")
    VmomiSupport = _Namespace("VmomiSupport")
    vim = _Namespace("vim")
    vmodl = _Namespace("vmodl")
