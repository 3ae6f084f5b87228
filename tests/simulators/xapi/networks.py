"""Networks, and the VLANs that bring them to the wires of hosts."""

from collections.abc import Mapping
from typing import Any

from simulators.xapi.database import Database, Object
from simulators.xapi.failures import Failure
from simulators.xapi.faults import Faults
from simulators.xapi.messages import Handler
from simulators.xapi.networking import Networking
from simulators.xapi.types import NULL

_MAX_TAG = 4094


class Networks:
    """Makes networks and VLANs."""

    def __init__(self, database: Database, networking: Networking, faults: Faults) -> None:
        self._database = database
        self._networking = networking
        self._faults = faults

    def handlers(self) -> dict[str, Handler]:
        """Return what the messages do."""
        return {
            "network.create": self._create,
            "network.destroy": self._destroy,
            "pool.create_VLAN_from_PIF": self._create_vlans,
            "pool.create_VLAN": self._create_vlans_on,
            "VLAN.create": lambda pif, tag, network: self._create_vlan(pif, network, tag).ref,
            "VLAN.destroy": self._destroy_vlan,
        }

    def _create(self, values: Mapping[str, Any]) -> str:
        with self._database.lock:
            number = sum(1 for _ in self._database.all("network"))
            own: dict[str, Any] = {"bridge": values.get("bridge") or f"xapi{number}", "VIFs": [], "PIFs": []}
            return self._database.add("network", {**values, **own}).ref

    def _destroy(self, ref: str) -> None:
        """Destroy a network, and with it the interfaces in it that are not plugged in."""
        with self._database.lock:
            network = self._database.get("network", ref)
            interfaces = [self._database.get("VIF", found) for found in network["VIFs"]]
            plugged = [found.ref for found in interfaces if found["currently_attached"]]
            if plugged:
                raise Failure("NETWORK_CONTAINS_VIF", *plugged)
            if network["PIFs"]:
                raise Failure("NETWORK_CONTAINS_PIF", *network["PIFs"])
            for interface in interfaces:
                self._networking.remove_interface(interface)
            self._database.remove(network)

    def _create_vlans_on(self, device: str, network_ref: str, tag: int) -> list[str]:
        """Make the VLAN on each host that has a device of a name."""
        pifs = [found for found in self._database.all("PIF") if found["device"] == device]
        return [
            self._create_vlan(pif.ref, network_ref, tag)["untagged_PIF"] for pif in pifs if pif["VLAN"] < 0
        ]

    def _create_vlans(self, pif_ref: str, network_ref: str, tag: int) -> list[str]:
        """Make the VLAN on each live host that has a PIF on the same network."""
        with self._database.lock:
            pif = self._database.get("PIF", pif_ref)
            found = [
                self._database.get("PIF", ref)
                for ref in self._database.get("network", pif["network"])["PIFs"]
            ]
            made = [
                self._create_vlan(each.ref, network_ref, tag) for each in found if self._is_live(each["host"])
            ]
            return [vlan["untagged_PIF"] for vlan in made]

    def _is_live(self, host: str) -> bool:
        metrics = self._database.get("host_metrics", self._database.get("host", host)["metrics"])
        return bool(metrics["live"])

    def _create_vlan(self, pif_ref: str, network_ref: str, tag: int) -> Object:
        with self._database.lock:
            pif, network = self._database.get("PIF", pif_ref), self._database.get("network", network_ref)
            if not 0 <= tag <= _MAX_TAG:
                raise Failure("VLAN_TAG_INVALID", str(tag))
            if pif["VLAN"] >= 0:
                raise Failure("PIF_IS_VLAN", pif_ref)
            if pif["bond_slave_of"] != NULL:
                raise Failure("CANNOT_ADD_VLAN_TO_BOND_SLAVE", pif_ref)
            same = [self._database.get("VLAN", ref) for ref in pif["VLAN_slave_of"]]
            if any(vlan["tag"] == tag for vlan in same):
                raise Failure("PIF_VLAN_EXISTS", pif["device"])
            untagged = self._database.add(
                "PIF",
                {
                    "device": pif["device"],
                    "network": network_ref,
                    "host": pif["host"],
                    "MAC": pif["MAC"],
                    "MTU": pif["MTU"],
                    "VLAN": tag,
                    "currently_attached": False,
                },
            )
            own = {"tagged_PIF": pif_ref, "untagged_PIF": untagged.ref, "tag": tag}
            vlan = self._database.add("VLAN", own)
            untagged["VLAN_master_of"] = vlan.ref
            pif["VLAN_slave_of"] = [*pif["VLAN_slave_of"], vlan.ref]
            network["PIFs"] = [*network["PIFs"], untagged.ref]
            # Where this fails, XAPI leaves what is there already.
            self._faults.before(self._faults.take("PIF.plug"))
            untagged["currently_attached"] = True
            return vlan

    def _destroy_vlan(self, ref: str) -> None:
        with self._database.lock:
            vlan = self._database.get("VLAN", ref)
            untagged = self._database.get("PIF", vlan["untagged_PIF"])
            pif = self._database.get("PIF", vlan["tagged_PIF"])
            network = self._database.get("network", untagged["network"])
            pif["VLAN_slave_of"] = [found for found in pif["VLAN_slave_of"] if found != ref]
            network["PIFs"] = [found for found in network["PIFs"] if found != untagged.ref]
            self._database.remove(untagged)
            self._database.remove(vlan)
