"""The conformance kit on a simulated vCenter and ESXi; and all that was sent, against pyvmomi's tables."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyVmomi import vim

from simplestack.operations.table import OPERATIONS
from simplestack.plugins.discovery import load_hypervisors
from simulators.tls import Trust
from simulators.vsphere.behavior.power import switch
from simulators.vsphere.files import File
from simulators.vsphere.inventory.networks import add_network, add_port_group, host_network_id
from simulators.vsphere.json_reader import JsonRequest
from simulators.vsphere.products import ESXI, VCENTER, Product
from simulators.vsphere.soap import read_request
from simulators.vsphere.versions import find_version
from support.conformance import run_kit
from support.vsphere import PASSWORD, Host, running_host, running_leases

from .interference import before_each_call
from .replay import paths, wrong

_GIB = 1024**3
OFF = vim.VirtualMachine.PowerState.poweredOff
#: Calls that vSphere cannot do, and what the plugin says of them. All other skips are of operations that are
#: not implemented yet.
EXPLAINED = {
    "disk_create": "vSphere names disks itself: leave out `name`",
    "disk_update": "vSphere names disks itself: leave out `name`",
    "network_vlan_create": "vSphere's networks have no `other_config`: leave it out",
    # Filters of addresses are only on distributed switches, and no part of a network card.
    "network_interface_update": "vSphere cannot restrict the addresses of an interface: .*",
}
#: A lone ESXi host has no templates.
ON_ESXI = {"guest_update": "a lone ESXi host has no templates: use its vCenter"}


def prepared(host: Host) -> dict[str, str]:
    """Put an image on a host, and a second network on a lone one; return what the kit is told."""
    simulator = host.simulator
    with simulator.database.lock:
        is_vcenter = simulator.product.is_vcenter
        # The last test of power leaves it so, if the kit cannot create guests of its own.
        switch(simulator, host.vm(), vim.VirtualMachine.PowerState.poweredOn)
        store = host.find(vim.Datastore, "shared-1" if is_vcenter else "datastore1")
        simulator.files.add(store.id, "debian-12.vmdk", File("disk", _GIB, _GIB))
        if not is_vcenter:
            (esxi,) = host.all(vim.HostSystem)
            folder = simulator.database.get(vim.Folder("ha-folder-network"))
            add_port_group(esxi, "internal")
            add_network(simulator.database, "internal", folder, [esxi], host_network_id("internal"))
    given = {
        "--image": f"[{store['name']}] debian-12.vmdk",
        "--iso": "[isos] debian-12.iso" if is_vcenter else "[datastore1] iso/debian-12.iso",
        "--trunk": "VM Network",
        "--guest": host.vm()["config.instanceUuid"],
        "--network": "VM Network",
        "--other-network": "production" if is_vcenter else "internal",
    }
    return given | ({"--template": "debian-12"} if is_vcenter else {})


def install_tools(host: Host) -> None:
    """Let all guests have tools, as those of the image have."""
    with host.simulator.database.lock:
        for vm in host.all(vim.VirtualMachine):
            if vm["config"].tools.toolsVersion == 0 and vm["runtime.powerState"] == OFF:
                vm["config"].tools.toolsVersion = host.vm()["config"].tools.toolsVersion
                vm.touch()


def products() -> list[Any]:
    as_soap = msgspec.structs.replace(VCENTER, speaks_json=False)
    return [
        pytest.param(VCENTER, id="vCenter-VI-JSON"),
        pytest.param(as_soap, id="vCenter-SOAP"),
        pytest.param(ESXI, id="ESXi"),
    ]


@pytest.mark.parametrize("product", products())
def test_vmware_passes_the_kit_and_sends_only_what_the_tables_have(
    trust: Trust, lease_trust: Trust, tmp_path: Path, product: Product
) -> None:
    journal: list[tuple[str, Any]] = []
    with running_host(trust, product) as host, running_leases(host, lease_trust):
        options = prepared(host)
        host.simulator.journal = journal
        before_each_call(host, "PowerOnVM_Task", lambda: install_tools(host))
        done = run_kit(
            tmp_path,
            *("--hypervisor", "vmware", "--host", host.name, "--username", host.user),
            *(word for option in options.items() for word in option),
            config=host.toml,
            environment={"SIMPLESTACK_KIT_PASSWORD": PASSWORD},
            ways=("stack",) if product is VCENTER else ("http",),
        )
        assert done.status == 0, done.output
        assert "the target is as before" in done.output
        assert host.simulator.sessions.all() == [], "sessions are logged out"
        assert host.simulator.leases.held() == []
        # Each worker tries once whether a vCenter has VI-JSON.
        rejected = {line for line in host.simulator.rejections if "XML document is not valid" not in line}
        assert rejected == set()
        assert not product.speaks_json or host.simulator.rejections == []
    (vmware,) = (found for found in load_hypervisors(["vmware"])[0] if found.name == "vmware")
    explained = EXPLAINED | ({} if product.is_vcenter else ON_ESXI)
    unexplained = [line for line in done.skips if not is_explained(line, set(vmware.operations), explained)]
    assert not unexplained, "\n".join(unexplained)
    if {"guest_create", *EXPLAINED} <= set(vmware.operations):
        for operation in EXPLAINED:
            assert any(f"this call of {operation}: " in line for line in done.skips), operation
    assert {way for ways in done.table.values() for way in ways if "failed" in way} == set()
    assert set(done.table) == {operation.name for operation in OPERATIONS}
    sent = {request.method for _, request in journal}
    assert {"Login", "Logout", "RetrievePropertiesEx", "WaitForUpdatesEx"} <= sent
    assert any(isinstance(request, JsonRequest) for _, request in journal) == product.speaks_json
    found = {line for call in journal for line in (*wrong(*call), *paths(*call))}
    assert sorted(found) == []


def is_explained(line: str, operations: set[str], explained: dict[str, str]) -> bool:
    """Return whether a skip is of an operation that the plugin lacks, or of a call that vSphere cannot do."""
    lacking = re.fullmatch("vmware does not implement (.*)", line)
    if lacking is not None:
        implemented = {hook for row in OPERATIONS if row.name in operations for hook in row.hooks}
        return not implemented & set(lacking[1].split(", "))
    call = re.fullmatch(r"vmware does not support this call of (\w+): (.*)", line, re.DOTALL)
    return call is not None and re.fullmatch(explained.get(call[1], "(?!)"), call[2], re.DOTALL) is not None


def test_a_skip_that_nothing_explains_is_found() -> None:
    """The checks above are worth nothing unless they find what is wrong."""
    assert not is_explained("vmware does not implement guest_list", {"guest_list"}, {})
    assert is_explained("vmware does not implement guest_clone", {"guest_list"}, {})
    assert not is_explained("vmware does not support this call of disk_create: x", set(), EXPLAINED)
    assert not is_explained("the host lists no network", set(), EXPLAINED)


def faults(call: str, this: str = '<_this type="VirtualMachine">vm-1</_this>') -> str:
    """Return what is wrong with a call of version 6.5 in SOAP."""
    name = call.partition(">")[0].strip("<")
    inner = call.removeprefix(f"<{name}>").removesuffix(f"</{name}>")
    body = f'<{name} xmlns="urn:vim25">{this}{inner}</{name}>'
    envelope = "http://schemas.xmlsoap.org/soap/envelope/"
    text = f'<e:Envelope xmlns:e="{envelope}"><e:Body>{body}</e:Body></e:Envelope>'
    request, version = read_request(text.encode()), find_version("6.5")
    return "; ".join([*wrong(version, request), *paths(version, request)])


RECONFIGURE = "<ReconfigVM_Task><spec>{}</spec></ReconfigVM_Task>"


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ("<PowerOnVMs_Task></PowerOnVMs_Task>", "PowerOnVMs_Task is no method"),
        ("<CreateSnapshot_Task><name>x</name></CreateSnapshot_Task>", "lacks memory"),
        ("<SuspendVM_Task><x>1</x></SuspendVM_Task>", "SuspendVM_Task has no x"),
        (RECONFIGURE.format("<numCPUs>two</numCPUs>"), "two, no int"),
        (RECONFIGURE.format("<numCPUs>9999999999</numCPUs>"), "9999999999, no int"),
        (RECONFIGURE.format("<sevEnabled>true</sevEnabled>"), "sevEnabled is newer than 6.5"),
        (RECONFIGURE.format("<firmware>x</firmware><name>x</name>"), "name is out of order"),
        ('<PowerOnVM_Task><host type="Folder">x</host></PowerOnVM_Task>', "Folder:x, no vim.HostSystem"),
    ],
)
def test_what_the_tables_do_not_have_would_be_found(call: str, told: str) -> None:
    assert told in faults(call)
    assert faults("<PowerOnVM_Task></PowerOnVM_Task>") == ""


def test_a_path_that_is_newer_would_be_found() -> None:
    read = (
        "<RetrievePropertiesEx><specSet><propSet><type>VirtualMachine</type><pathSet>{}</pathSet></propSet>"
        '<objectSet><obj type="VirtualMachine">vm-1</obj></objectSet></specSet><options/>'
        "</RetrievePropertiesEx>"
    )
    this = '<_this type="PropertyCollector">propertyCollector</_this>'
    assert faults(read.format("config.hardware.device"), this) == ""
    assert "has no config.nothing" in faults(read.format("config.nothing"), this)
    assert "is newer than 6.5" in faults(read.format("config.sevEnabled"), this)
