"""SOAP envelopes: the call in a request, and the response to it."""

from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from pyVmomi import vmodl

from simulators.vsphere.messages import message_of
from simulators.vsphere.reader import Reader, invalid
from simulators.vsphere.schema import NAMESPACE, ManagedObject, Method, name_of
from simulators.vsphere.tree import Malformed, Node, parse
from simulators.vsphere.writer import write_fault, write_field

_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<soapenv:Envelope xmlns:soapenv="{_SOAP}" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n<soapenv:Body>\n'
)
_TAIL = "\n</soapenv:Body>\n</soapenv:Envelope>"


class Request(NamedTuple):
    """A call as it came: its elements are not read yet."""

    method: str
    elements: list[Node]

    def this(self, version: str) -> Any:
        """Return the reference of the object whose method it is.

        :raises InvalidRequest: it is not the first element
        """
        if not self.elements or self.elements[0].name != "_this":
            where = f"call information for method {self.method}"
            raise invalid(f'Required parameter "_this" is missing\n\nwhile parsing {where}')
        return Reader(version).value(self.elements[0], ManagedObject)

    def arguments(self, method: Method, version: str) -> dict[str, Any]:
        """Return the parameters by name.

        :raises InvalidRequest: the method has others
        """
        where = f"call information for method {method.name}"
        return Reader(version).members(self.elements[1:], method.parameters, where)


def read_request(body: bytes) -> Request:
    """Read an envelope.

    :raises InvalidRequest: it is none, or has no single call
    """
    try:
        root = parse(body)
    except Malformed as error:
        raise invalid(f"XML document is not valid: {error}\n\nwhile parsing SOAP envelope") from error
    if (root.namespace, root.name) != (_SOAP, "Envelope"):
        raise invalid(f'Unexpected element "{root.name}", expected SOAP envelope')
    parts = [node for node in root.children if (node.namespace, node.name) != (_SOAP, "Header")]
    if len(parts) != 1 or (parts[0].namespace, parts[0].name) != (_SOAP, "Body"):
        raise invalid("The SOAP envelope has no single body")
    calls = parts[0].children
    if len(calls) != 1:
        raise invalid(f"The SOAP body has {len(calls)} calls instead of one")
    (call,) = calls
    if call.namespace != NAMESPACE:
        raise invalid(f'Unable to resolve WSDL method name "{call.namespace}":"{call.name}"')
    return Request(call.name, call.children)


def response(method: Method, value: Any, version: str) -> bytes:
    """Return the envelope of a call's result. An unset result is an empty element."""
    parts = [_HEAD, f'<{method.name}Response xmlns="{NAMESPACE}">']
    if value is not None and method.result.type is not type(None):
        write_field(parts, method.result, value, version)
    parts += [f"</{method.name}Response>", _TAIL]
    return "".join(parts).encode()


def fault_response(fault: vmodl.MethodFault, version: str, code: str = "ServerFaultCode") -> bytes:
    """Return the envelope of a fault, which is sent with status 500."""
    parts = [_HEAD, f"<soapenv:Fault><faultcode>{code}</faultcode>"]
    parts.append(f"<faultstring>{escape(message_of(fault))}</faultstring><detail>")
    detail: list[str] = []
    write_fault(detail, f"{name_of(type(fault))}Fault", fault, version)
    parts.append("".join(detail).replace(" xsi:type=", f' xmlns="{NAMESPACE}" xsi:type=', 1))
    parts += ["</detail></soapenv:Fault>", _TAIL]
    return "".join(parts).encode()
