"""Faults: what vSphere raises, as one class of exceptions, whether or not pyvmomi knows the type.

pyvmomi fails to read a fault of a type that it does not know, such as those of vendors' extensions.
"""

from simplestack_vmware.sdk import VmomiSupport

_NAMESPACE = "urn:vim25"


class Fault(Exception):
    """A fault of vSphere.

    :param name: its type, such as ``InvalidPowerState``
    :param message: its text for people, in the language of the session
    :param fields: the text of its fields, by name
    """

    def __init__(self, name: str, message: str = "", fields: dict[str, str] | None = None) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message
        self.fields: dict[str, str] = fields or {}

    def is_a(self, name: str) -> bool:
        """Return whether the fault is of a type, or of a type below it."""
        return name in self.names

    @property
    def names(self) -> list[str]:
        """The fault's type and the types above it, as far as pyvmomi knows them."""
        try:
            kind = VmomiSupport.GetWsdlType(_NAMESPACE, self.name)
        except KeyError:
            return [self.name]
        return [base._wsdlName for base in kind.__mro__ if hasattr(base, "_wsdlName")]  # noqa: SLF001  pyvmomi's naming
