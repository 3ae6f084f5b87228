"""The service instance, and the managers that its content names."""

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyVmomi import vim, vmodl

from simulators.vsphere.database import Live, Object
from simulators.vsphere.sessions import current

if TYPE_CHECKING:
    from simulators.vsphere.simulator import Simulator

_BUILD = "24022510"
#: By property of the content: type, and ID on vCenter and on ESXi.
_MANAGERS: tuple[tuple[str, Any, str, str], ...] = (
    ("propertyCollector", vmodl.query.PropertyCollector, "propertyCollector", "ha-property-collector"),
    ("viewManager", vim.view.ViewManager, "ViewManager", "ViewManager"),
    ("sessionManager", vim.SessionManager, "SessionManager", "ha-sessionmgr"),
    ("authorizationManager", vim.AuthorizationManager, "AuthorizationManager", "ha-authmgr"),
    ("taskManager", vim.TaskManager, "TaskManager", "ha-taskmgr"),
    ("searchIndex", vim.SearchIndex, "SearchIndex", "ha-searchindex"),
    ("fileManager", vim.FileManager, "FileManager", "ha-nfc-file-manager"),
    ("virtualDiskManager", vim.VirtualDiskManager, "virtualDiskManager", "ha-vdiskmanager"),
    ("ovfManager", vim.OvfManager, "OvfManager", "ha-ovf-manager"),
    ("eventManager", vim.event.EventManager, "EventManager", "ha-eventmgr"),
    ("setting", vim.option.OptionManager, "VpxSettings", "HostAgentSettings"),
)
_VCENTER_MANAGERS: tuple[tuple[str, Any, str], ...] = (
    ("customFieldsManager", vim.CustomFieldsManager, "CustomFieldsManager"),
    ("dvSwitchManager", vim.dvs.DistributedVirtualSwitchManager, "DVSManager"),
)


def about(simulator: "Simulator") -> vim.AboutInfo:
    """Return what a client is told first."""
    product = simulator.product
    return vim.AboutInfo(
        name=product.name,
        fullName=f"{product.name} {product.version} build-{_BUILD} (simulated)",
        vendor="VMware, Inc.",
        version=product.version,
        build=_BUILD,
        osType="linux-x64" if product.is_vcenter else "vmnix-x86",
        productLineId=product.product_line,
        apiType=product.api_type,
        apiVersion=product.api_version,
        instanceUuid=str(uuid.uuid4()) if product.is_vcenter else None,
        licenseProductName="VMware VirtualCenter Server" if product.is_vcenter else "VMware ESX Server",
        licenseProductVersion=product.version.partition(".")[0] + ".0",
    )


def add_managers(simulator: "Simulator", root: Object) -> Object:
    """Make the service instance and the managers.

    :param root: the root folder
    """
    database, is_vcenter = simulator.database, simulator.product.is_vcenter
    managers = {
        field: database.add(kind, on_vcenter if is_vcenter else on_esxi).ref
        for field, kind, on_vcenter, on_esxi in _MANAGERS
    }
    if is_vcenter:
        managers |= {field: database.add(kind, moid).ref for field, kind, moid in _VCENTER_MANAGERS}
    _describe_sessions(simulator, database.get(managers["sessionManager"]))
    tasks = database.get(managers["taskManager"])
    tasks.values |= {"recentTask": [], "description": vim.TaskDescription(), "maxCollector": 32}
    content = vim.ServiceInstanceContent(rootFolder=root.ref, about=about(simulator), **managers)
    capability = vim.Capability(
        provisioningSupported=is_vcenter,
        multiHostSupported=is_vcenter,
        userShellAccessSupported=not is_vcenter,
    )
    return database.add(
        vim.ServiceInstance,
        "ServiceInstance",
        content=content,
        capability=capability,
        serverClock=Live(lambda: datetime.now(UTC)),
    )


def _describe_sessions(simulator: "Simulator", manager: Object) -> None:
    def own() -> vim.UserSession | None:
        session = current.get()
        return None if session is None else session.described()

    manager.values |= {
        "sessionList": Live(lambda: [session.described() for session in simulator.sessions.all()]),
        "currentSession": Live(own),
        "defaultLocale": "en",
        "supportedLocaleList": ["en"],
        "messageLocaleList": ["en"],
    }
