"""The service itself: what there is, and what time it is."""

from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim

from simulators.vsphere.calls import Call
from simulators.vsphere.methods import method
from simulators.vsphere.properties import fetch as fetch_property
from simulators.vsphere.schema import ManagedObject


@method(vim.ServiceInstance, "RetrieveServiceContent")
def retrieve_service_content(call: Call) -> Any:
    """Return the managers and the root folder."""
    return call.target["content"]


@method(vim.ServiceInstance, "CurrentTime")
def current_time(_call: Call) -> datetime:
    """Return the server's time."""
    return datetime.now(UTC)


@method(ManagedObject, "Fetch")
def fetch(call: Call, prop: str) -> Any:
    """Return one property of any object."""
    return fetch_property(call.target, prop, call.wire, call.session)
