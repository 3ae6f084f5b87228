"""Open vSwitch beside a libvirtd of the tests: of its own, with switching in user space.

`run-private` starts it before libvirtd, in the same namespaces. There the bridges and the ports are, and with
these they end.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

COMMANDS = {
    "ovsdb-server": "openvswitch-switch",
    "ovs-vswitchd": "openvswitch-switch",
    "ovs-vsctl": "openvswitch-switch",
    "ovs-appctl": "openvswitch-switch",
}
#: How long one of its commands may take.
COMMAND_SECONDS = 10


@dataclass(frozen=True)
class OpenVSwitch:
    """A running Open vSwitch."""

    #: Its sockets, and its database.
    folder: Path

    def vsctl(self, *arguments: str) -> str:
        """Run ``ovs-vsctl``, and return what it prints."""
        return _run("ovs-vsctl", f"--db=unix:{self.folder}/db.sock", *arguments)

    def add_bridge(self, bridge: str) -> None:
        """Add a bridge that needs no kernel module."""
        self.vsctl("add-br", bridge, "--", "set", "bridge", bridge, "datapath_type=netdev")

    def ports(self, bridge: str) -> dict[str, str]:
        """Return the VLAN tag of each port of a bridge; an empty one of a port that has none."""
        names = self.vsctl("list-ports", bridge).split()
        return {name: self.vsctl("get", "port", name, "tag").strip("[]") for name in names}

    def learned(self, bridge: str) -> set[tuple[str, str]]:
        """Return the VLAN and the MAC address of each device whose traffic a bridge has seen."""
        pid = (self.folder / "ovs-vswitchd.pid").read_text().strip()
        rows = _run("ovs-appctl", f"--target={self.folder}/ovs-vswitchd.{pid}.ctl", "fdb/show", bridge)
        fields = [row.split() for row in rows.splitlines()[1:]]
        return {(vlan, mac) for _, vlan, mac, _ in fields}


def _run(*command: str) -> str:
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, timeout=COMMAND_SECONDS)
    return done.stdout.strip()
