"""The two protocols, SOAP and VI-JSON, as far as properties depend on them."""

from typing import Any, Protocol

from simulators.vsphere.schema import Field
from simulators.vsphere.writer import Written, write, write_property


class Wire(Protocol):
    """How properties are written for a client."""

    name: str
    #: The API version that the client has asked for.
    version: str

    def property(self, field: Field, value: Any) -> Any:
        """Return a value as ``DynamicProperty.val`` has it."""
        ...

    def single(self, field: Field, value: Any) -> Any:
        """Return a value as the result of reading one property."""
        ...

    def object(self, tag: str, value: Any) -> Any:
        """Return a data object as a finished part of a response.

        :param tag: in SOAP: its element
        """
        ...


class Soap:
    """SOAP: what is finished are elements."""

    name = "soap"

    def __init__(self, version: str) -> None:
        self.version = version

    def property(self, field: Field, value: Any) -> Written:
        """Return a value as ``DynamicProperty.val`` has it."""
        return self._element("val", field, value)

    def single(self, field: Field, value: Any) -> Written:
        """Return a value as the result of reading one property."""
        return self._element("returnval", field, value)

    def object(self, tag: str, value: Any) -> Written:
        """Return a data object as a finished part of a response."""
        parts: list[str] = []
        write(parts, tag, value, type(value), self.version)
        return Written("".join(parts))

    def _element(self, tag: str, field: Field, value: Any) -> Written:
        parts: list[str] = []
        write_property(parts, tag, field, value, self.version)
        return Written("".join(parts))
