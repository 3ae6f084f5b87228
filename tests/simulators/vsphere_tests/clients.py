"""Clients of a simulator: pyVmomi, and hand-written SOAP."""

import contextlib
import http.client
import json
import re
import ssl
from dataclasses import dataclass
from typing import Any, NamedTuple

from pyVmomi import VmomiSupport, vim, vmodl
from pyVmomi.SoapAdapter import SoapStubAdapter

PropertyCollector: Any = vmodl.query.PropertyCollector
Traversal, Selection = PropertyCollector.TraversalSpec, PropertyCollector.SelectionSpec
_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Body>{}</soapenv:Body></soapenv:Envelope>"
)


class Client:
    """pyVmomi, with a session."""

    def __init__(self, port: int, context: ssl.SSLContext, version: str = "8.0.1.0") -> None:
        tables: Any = VmomiSupport
        self.stub: Any = SoapStubAdapter(
            host="127.0.0.1",
            port=port,
            path="/sdk",
            version=tables.versionMap[f"vim25/{version}"],
            sslContext=context,
            httpConnectionTimeout=20,
        )
        self.service: Any = vim.ServiceInstance("ServiceInstance", self.stub)
        self.content: Any = self.service.RetrieveContent()

    @property
    def cookie(self) -> str:
        """What its session is found by."""
        found: str = self.stub.cookie
        return found

    def log_in(self, user: str, password: str = "secret") -> Any:
        """Begin a session."""
        return self.content.sessionManager.Login(user, password)

    def close(self) -> None:
        """Close its connections."""
        self.stub.DropConnections()

    def spec(self, kind: Any, *paths: str, obj: Any = None) -> Any:
        """Return a filter spec: of one object, or of all of a type that folders and pools lead to."""
        properties = PropertyCollector.PropertySpec(type=kind, pathSet=list(paths))
        if obj is not None:
            start = PropertyCollector.ObjectSpec(obj=obj)
        else:
            start = PropertyCollector.ObjectSpec(
                obj=self.content.rootFolder, skip=True, selectSet=everything()
            )
        return PropertyCollector.FilterSpec(propSet=[properties], objectSet=[start])

    def retrieve(self, kind: Any, *paths: str, obj: Any = None, size: int | None = None) -> Any:
        """Call RetrievePropertiesEx."""
        options = PropertyCollector.RetrieveOptions(maxObjects=size)
        return self.content.propertyCollector.RetrievePropertiesEx(
            [self.spec(kind, *paths, obj=obj)], options
        )

    def values(self, kind: Any, path: str) -> list[Any]:
        """Return a property of all objects of a type."""
        found = self.retrieve(kind, path)
        return [each.propSet[0].val for each in found.objects if each.propSet]

    def find(self, kind: Any, name: str) -> Any:
        """Return the only object of a type that has a name."""
        found = self.retrieve(kind, "name").objects
        (one,) = [each.obj for each in found if each.propSet[0].val == name]
        return one

    def vm(self, name: str) -> Any:
        """Return a VM by name."""
        return self.find(vim.VirtualMachine, name)

    def host(self) -> Any:
        """Return a host."""
        return self.retrieve(vim.HostSystem, "name").objects[0].obj


def everything() -> list[Any]:
    """Return a traversal to all inventory objects, VMs in vApps too."""
    names = ("folder", "pools", "vms")
    again = [Selection(name=name) for name in names]
    datacenter = [
        Traversal(type=vim.Datacenter, path=f"{name}Folder", skip=False, selectSet=again)
        for name in ("vm", "host", "datastore", "network")
    ]
    compute = [
        Traversal(type=vim.ComputeResource, path="host", skip=False),
        Traversal(type=vim.ComputeResource, path="resourcePool", skip=False, selectSet=again),
    ]
    inner = [*datacenter, *compute, *again]
    return [
        Traversal(name="folder", type=vim.Folder, path="childEntity", skip=False, selectSet=inner),
        Traversal(name="pools", type=vim.ResourcePool, path="resourcePool", skip=False, selectSet=again),
        Traversal(name="vms", type=vim.VirtualApp, path="vm", skip=False),
    ]


class Reply(NamedTuple):
    """A response to hand-written SOAP."""

    status: int
    body: str

    @property
    def fault(self) -> str:
        """The name of its fault; empty if it has none."""
        found = re.search(r'<detail><\w+Fault xmlns="urn:vim25" xsi:type="(\w+)"', self.body)
        return "" if found is None else found[1]

    @property
    def message(self) -> str:
        """The message of its fault."""
        found = re.search(r"<faultstring>(.*?)</faultstring>", self.body, re.DOTALL)
        return "" if found is None else found[1]


@dataclass
class Raw:
    """Sends hand-written SOAP."""

    port: int
    context: ssl.SSLContext
    cookie: str = ""

    def __call__(self, call: str, action: str = "urn:vim25/8.0.1.0") -> Reply:
        """Send the content of a body: ``<Logout xmlns="urn:vim25">...``."""
        return self.send(_ENVELOPE.format(call).encode(), action)

    def call(self, method: str, this: str, parameters: str = "", action: str = "urn:vim25/8.0.1.0") -> Reply:
        """Call a method.

        :param this: type and ID: ``VirtualMachine:vm-1``
        """
        kind, _, moid = this.partition(":")
        target = f'<_this type="{kind}">{moid}</_this>'
        return self(f'<{method} xmlns="urn:vim25">{target}{parameters}</{method}>', action)

    def send(self, body: bytes, action: str = "urn:vim25/8.0.1.0") -> Reply:
        """Send a whole envelope."""
        headers = {"SOAPAction": action, "Content-Type": "text/xml; charset=utf-8", "Cookie": self.cookie}
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)
        with contextlib.closing(connection):
            connection.request("POST", "/sdk", body, headers)
            response = connection.getresponse()
            return Reply(response.status, response.read().decode())


@dataclass
class Fetch:
    """Sends plain HTTP requests."""

    port: int
    context: ssl.SSLContext

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        """Send a request; a body that is not bytes is sent as JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)
        with contextlib.closing(connection):
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return response.status, response.read()
