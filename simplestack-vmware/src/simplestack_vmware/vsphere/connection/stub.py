"""What the managed objects of pyvmomi call."""

import re
from collections.abc import Callable
from typing import Any, Self

from simplestack import InvalidArguments, OperationNotSupported, forbidden_in_xml
from simplestack_vmware.sdk import VmomiSupport, vmodl

#: Methods that change nothing, or nothing but what the session waits for.
_REPEATABLE = re.compile(
    r"Retrieve(Properties|ServiceContent)\w*|Find\w+|Query\w+|CreatePropertyCollector|CreateFilter"
    r"|WaitForUpdatesEx|CancelTask|Logout"
)


def is_repeatable(method: str) -> bool:
    """Return whether a method may be sent again when the connection breaks before its response."""
    return _REPEATABLE.fullmatch(method) is not None


class Stub:
    """Stands in for pyvmomi's ``SoapStubAdapter``: sends what managed objects are asked for.

    Methods are called as in scripts. Properties are rejected: each would be a round trip of its own.
    """

    def __init__(self, soap: Any, call: Callable[[str, bytes, Any], Any]) -> None:
        """Wrap pyvmomi's stub, which writes the requests.

        :param call: sends a request: called with the method's name, the request and the type of the result
        """
        self._soap = soap
        self._call = call

    @property
    def version(self) -> str:
        """The version of the API, as pyvmomi names it."""
        return str(self._soap.version)

    def InvokeMethod(self, obj: Any, info: Any, arguments: Any) -> Any:  # noqa: N802  pyvmomi's name
        """Call a method, and return its result as pyvmomi's types."""
        return self._call(info.wsdlName, self.request(obj, info, arguments), info.result)

    def InvokeAccessor(self, obj: Any, info: Any) -> Any:  # noqa: N802  pyvmomi's name
        """Reject to read a property: read it with a record."""
        raise TypeError(f"{type(obj).__name__}.{info.name} is a round trip: read it with a record")

    def SupportServerGUIDs(self) -> bool:  # noqa: N802  pyvmomi's name
        """Return False: objects are those of one host."""
        return False

    def __deepcopy__(self, memo: Any) -> Self:
        return self  # pyvmomi copies objects with their stub

    def request(self, obj: Any, info: Any, arguments: Any) -> bytes:
        """Write the request for a method.

        :raises InvalidArguments: a text has a character that XML cannot contain
        :raises OperationNotSupported: the host's version of the API does not have the method
        """
        try:
            request: bytes = self._soap.SerializeRequest(obj, info, arguments)
        except vmodl.fault.MethodNotFound:
            raise OperationNotSupported(
                f"{info.wsdlName} needs a newer vSphere than this host's API "
                f"{VmomiSupport.versionIdMap[self.version]}"
            ) from None
        except UnicodeEncodeError as error:  # half of a surrogate pair
            _check_characters(error.object)
            raise
        _check_characters(request.decode())
        # Readers of XML turn a carriage return into a line feed, unless it is written so.
        return request.replace(b"\r", b"&#13;")


def _check_characters(text: str) -> None:
    forbidden = forbidden_in_xml(text)
    if forbidden is not None:
        raise InvalidArguments(f"vSphere's XML cannot contain the character {forbidden}: remove it")
