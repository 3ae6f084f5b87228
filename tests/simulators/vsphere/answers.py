"""Requests and responses of the two protocols, SOAP and VI-JSON."""

from typing import NamedTuple

import msgspec
from pyVmomi import vmodl

from simulators.vsphere import soap
from simulators.vsphere.calls import Client
from simulators.vsphere.json_reader import JsonRequest
from simulators.vsphere.json_writer import Json, fault_json, to_json
from simulators.vsphere.messages import message_of
from simulators.vsphere.sessions import TooManySessions
from simulators.vsphere.simulator import Simulator
from simulators.vsphere.versions import UnsupportedVersion, negotiate
from simulators.vsphere.wires import Soap

_XML, _JSON = "text/xml; charset=utf-8", "application/json"


class Response(NamedTuple):
    """A response."""

    status: int
    body: bytes = b""
    content_type: str = _XML
    #: Of the session that the client has from now on: empty if it has none, None if nothing changes.
    cookie: str | None = None


def answer_soap(
    simulator: Simulator, body: bytes, soap_action: str, cookie: str | None, client: Client
) -> Response:
    """Answer a SOAP request.

    :param cookie: of the client's session
    :raises Drop: the connection is to be closed instead
    """
    version = simulator.newest_version
    try:
        version = negotiate(soap_action, version)
        request = soap.read_request(body)
        outcome = simulator.perform(request, cookie, client, Soap(version))
    except vmodl.MethodFault as fault:
        _note(simulator, fault)
        return Response(500, soap.fault_response(fault, version))
    except UnsupportedVersion as error:
        _note(simulator, error.fault)
        return Response(500, soap.fault_response(error.fault, version, "VersionMismatchFaultCode"))
    except TooManySessions:
        return Response(503)
    return Response(200, soap.response(outcome.method, outcome.value, version), _XML, outcome.cookie)


def answer_json(
    simulator: Simulator, path: list[str], body: bytes, cookie: str | None, client: Client
) -> Response:
    """Answer a VI-JSON request.

    :param path: API version, type and ID of the object, and the method
    :raises Drop: the connection is to be closed instead
    """
    release, kind, moid, method = path
    version = simulator.newest_version
    try:
        version = negotiate(f"urn:vim25/{release}", version)
        request = JsonRequest(kind, moid, method, body)
        outcome = simulator.perform(request, cookie, client, Json(version))
    except vmodl.MethodFault as fault:
        _note(simulator, fault)
        return Response(500, fault_json(fault, message_of(fault), version), _JSON)
    except UnsupportedVersion:
        return Response(404)
    except TooManySessions:
        return Response(503)
    if outcome.value is None or outcome.method.result.type is type(None):
        return Response(204, b"", _JSON, outcome.cookie)
    written = msgspec.json.encode(to_json(outcome.method.result, outcome.value, version))
    return Response(200, written, _JSON, outcome.cookie)


def _note(simulator: Simulator, fault: vmodl.MethodFault) -> None:
    if isinstance(fault, vmodl.fault.InvalidRequest):
        simulator.rejections.append(message_of(fault))
