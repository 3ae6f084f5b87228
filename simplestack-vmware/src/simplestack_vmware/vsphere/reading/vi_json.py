"""Read records from ``RetrievePropertiesEx`` in VI-JSON, which vCenter has since 8.0.1.

https://developer.broadcom.com/xapis/virtual-infrastructure-json-api/latest/
"""

import http.client
from typing import Any

import msgspec
from msgspec import Struct, field

from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.reading.pages import Page
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Property

#: The version of the API with which it came.
SINCE = "8.0.1.0"
#: Header with the ID of the SOAP session.
SESSION_HEADER = "vmware-api-session-id"


class _Typed(Struct, frozen=True):
    type_name: str = field(name="_typeName", default="")


class _LocalizedFault(Struct, frozen=True):
    fault: _Typed = _Typed()


class _Property(Struct):
    name: str
    val: msgspec.Raw


class _Missing(Struct):
    path: str
    fault: _LocalizedFault = _LocalizedFault()


class _Object(Struct):
    obj: Ref
    propSet: list[_Property] = []  # noqa: N815  vSphere's name
    missingSet: list[_Missing] = []  # noqa: N815  vSphere's name


class _Result(Struct):
    objects: list[_Object] = []
    token: str = ""


_decoder = msgspec.json.Decoder(_Result | None, strict=False)


def body_of(**arguments: Any) -> bytes:
    """Encode the arguments of a method."""
    return msgspec.json.encode(arguments)


def read_page(response: http.client.HTTPResponse, query: Query) -> Page | None:
    """Return the records in a response; None if it is not VI-JSON, or a fault."""
    body = response.read()
    kind = response.getheader("Content-Type", "")
    if response.status != http.HTTPStatus.OK or "json" not in kind:
        return None
    try:
        result = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    page = Page()
    if result is None:
        return page
    page.token = result.token
    for each in result.objects:
        schema = query.schema_for(each.obj.type)
        if schema is not None:
            values = {found.name: found.val for found in each.propSet}
            missing = {one.path: one.fault.fault.type_name for one in each.missingSet}
            page.add(each.obj, schema, values, missing, Property.from_json)
    return page
