"""Read faults from XML."""

from xml.etree.ElementTree import Element

from simplestack import HypervisorError, parse_xml
from simplestack_vmware.sdk.faults import Fault

__all__ = ["Fault", "child", "local_name", "localized_fault", "soap_fault", "text_of", "type_of"]

_XSI_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"


def local_name(element: Element) -> str:
    """Return an element's name without its namespace."""
    return element.tag.rpartition("}")[2]


def type_of(element: Element) -> str:
    """Return an element's ``xsi:type`` without its prefix, or an empty string."""
    return element.get(_XSI_TYPE, "").rpartition(":")[2]


def child(element: Element, name: str) -> Element | None:
    """Return the first child of a name."""
    return next((each for each in element if local_name(each) == name), None)


def text_of(element: Element, name: str) -> str:
    """Return the text of the first child of a name, or an empty string."""
    found = child(element, name)
    return "" if found is None else found.text or ""


def localized_fault(element: Element) -> Fault:
    """Return the fault in a ``LocalizedMethodFault``, as tasks have it."""
    fault = child(element, "fault")
    if fault is None:
        return Fault("MethodFault", text_of(element, "localizedMessage"))
    return Fault(type_of(fault) or "MethodFault", text_of(element, "localizedMessage"), _fields(fault))


def soap_fault(body: bytes) -> Fault:
    """Return the fault in a SOAP response.

    :raises HypervisorError: the response has none
    """
    root = parse_xml(body.decode(errors="replace"), "vSphere's response")
    fault = next((each for each in root.iter() if local_name(each) == "Fault"), None)
    if fault is None:
        raise HypervisorError("vSphere returned an error without a fault")
    message = text_of(fault, "faultstring")
    detail = child(fault, "detail")
    if detail is None or not len(detail):
        return Fault(text_of(fault, "faultcode").rpartition(":")[2] or "MethodFault", message)
    first = detail[0]
    return Fault(type_of(first) or local_name(first).removesuffix("Fault"), message, _fields(first))


def _fields(element: Element) -> dict[str, str]:
    return {local_name(each): each.text or "" for each in element if not len(each)}
