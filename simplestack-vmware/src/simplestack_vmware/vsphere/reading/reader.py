"""Read properties: by VI-JSON where the host has it, else by SOAP."""

from typing import TypeVar

from simplestack import HttpsRequest
from simplestack_vmware.sdk import vmodl
from simplestack_vmware.vsphere.connection import versions
from simplestack_vmware.vsphere.connection.api import Api
from simplestack_vmware.vsphere.connection.faults import Fault
from simplestack_vmware.vsphere.connection.refs import Ref
from simplestack_vmware.vsphere.reading import soap, vi_json
from simplestack_vmware.vsphere.reading.pages import Page
from simplestack_vmware.vsphere.reading.queries import Query
from simplestack_vmware.vsphere.reading.schemas import Record

R = TypeVar("R", bound=Record)

#: Objects in a page.
PAGE_OBJECTS = 1000
#: How often a list is read again because an object was removed meanwhile.
_ATTEMPTS = 3
_GONE = "ManagedObjectNotFound"


class Reader:
    """Reads records with the property collector of a session. Several threads may use it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._collector = api.content.propertyCollector
        #: Whether the host may have VI-JSON. An ESXi host of 9.1 was seen to reject it, and so may proxies.
        self._speaks_json = api.is_vcenter and versions.is_at_least(api.stub.version, vi_json.SINCE)

    def read(self, query: Query) -> list[Record]:
        """Return the records of a query: one round trip, and one for each further page.

        Objects that are removed meanwhile are left out.

        :raises Fault: ManagedObjectNotFound: an object to start at does not exist
        """
        attempt = 1
        while True:
            try:
                page = self._first_page(query)
                records = page.records
                while page.token:
                    page = self._next_page(query, page.token)
                    records += page.records
            except Fault as fault:
                if not fault.is_a(_GONE) or attempt == _ATTEMPTS or query.starts_at(fault.fields.get("obj")):
                    raise
                attempt += 1
            else:
                return records

    def read_one(self, kind: type[R], ref: Ref) -> R | None:
        """Return the record of an object, or None if it does not exist: one round trip."""
        try:
            records = self.read(Query([ref], [kind]))
        except Fault as fault:
            if not fault.is_a(_GONE):
                raise
            return None
        return next((record for record in records if isinstance(record, kind)), None)

    def _first_page(self, query: Query) -> Page:
        if self._speaks_json:
            limit = {"_typeName": "RetrieveOptions", "maxObjects": PAGE_OBJECTS}
            body = vi_json.body_of(specSet=[query.for_json()], options=limit)
            page = self._json_page("RetrievePropertiesEx", body, query)
            if page is not None:
                return page
        collector = vmodl.query.PropertyCollector
        options = collector.RetrieveOptions(maxObjects=PAGE_OBJECTS)
        page = self._soap_page("RetrievePropertiesEx", ([query.for_soap()], options), query)
        self._speaks_json = False  # SOAP has a result, so it was not the session that JSON failed for
        return page

    def _next_page(self, query: Query, token: str) -> Page:
        if self._speaks_json:
            page = self._json_page("ContinueRetrievePropertiesEx", vi_json.body_of(token=token), query)
            if page is not None:
                return page
        return self._soap_page("ContinueRetrievePropertiesEx", (token,), query)

    def _soap_page(self, method: str, arguments: tuple[object, ...], query: Query) -> Page:
        info = self._collector._GetMethodInfo(method)  # noqa: SLF001  public in pyvmomi, in spite of its name
        body = self._api.stub.request(self._collector, info, arguments)
        return self._api.post(info.wsdlName, body, lambda response: soap.read_page(response, query))

    def _json_page(self, method: str, body: bytes, query: Query) -> Page | None:
        """Return a page by VI-JSON; None for a fault, or if the host does not speak it."""
        version = versions.number_of(self._api.stub.version)
        path = f"/sdk/vim25/{version}/PropertyCollector/{self._collector._GetMoId()}/{method}"  # noqa: SLF001  public in pyvmomi, in spite of its name
        headers = {"Content-Type": "application/json", vi_json.SESSION_HEADER: self._api.session_id}
        request = HttpsRequest(method, path, body, headers, is_read=True)
        return self._api.send(request, lambda response: vi_json.read_page(response, query))
