"""A list of guests as somebody writes it who knows libvirt, and whose host has no trouble."""

import xml.etree.ElementTree as ET
from typing import Any

import libvirt

from simplestack import parse_xml


def listed_by_hand(connection: "libvirt.virConnect") -> list[dict[str, Any]]:
    """Return all guests, with the fields of ours."""
    host = connection.getHostname()
    flags = (
        libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_INACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT
    )
    wanted = libvirt.VIR_DOMAIN_STATS_VCPU | libvirt.VIR_DOMAIN_STATS_BALLOON | libvirt.VIR_DOMAIN_STATS_BLOCK
    saved = {
        domain.UUIDString()
        for domain in connection.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE)
    }
    off = {domain.UUIDString(): stats for domain, stats in connection.getAllDomainStats(wanted, flags)}
    volumes = {
        volume.key(): volume for pool in connection.listAllStoragePools(2) for volume in pool.listAllVolumes()
    }
    leases: dict[str, dict[str, str]] = {}
    guests = []
    for domain, states in connection.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
        stats = off.get(domain.UUIDString())
        guest = {"id": domain.UUIDString(), "name": domain.name(), "state": states["state.state"]}
        guest["saved"] = guest["id"] in saved
        if stats is None:
            guest |= {"host": host, **_running(connection, domain, volumes, leases)}
        else:
            count = range(stats.get("block.count", 0))
            guest |= {
                "cpus": stats["vcpu.current"],
                "memory": stats["balloon.current"] // 1024,
                "hdd": sum(stats.get(f"block.{number}.capacity", 0) for number in count),
                "paravirtualized": any(stats[f"block.{number}.name"].startswith("vd") for number in count),
            }
        guests.append(guest)
    return guests


def _running(
    connection: "libvirt.virConnect",
    domain: "libvirt.virDomain",
    volumes: dict[str, "libvirt.virStorageVol"],
    leases: dict[str, dict[str, str]],
) -> dict[str, Any]:
    document = parse_xml(domain.XMLDesc(), "XML")
    disks = document.findall("devices/disk[@device='disk']/source")
    info: Any = [volumes[disk.get("file", "")].info() for disk in disks]
    return {
        "cpus": int(document.findtext("vcpu", "1")),
        "memory": int(document.findtext("currentMemory", "0")) // 1024,
        "hdd": sum(volume[1] for volume in info),
        "paravirtualized": document.find("devices/disk/target[@bus='virtio']") is not None,
        "ip": _address(connection, domain, document, leases),
    }


def _address(
    connection: "libvirt.virConnect",
    domain: "libvirt.virDomain",
    document: ET.Element,
    leases: dict[str, dict[str, str]],
) -> str | None:
    for interface in document.iterfind("devices/interface[@type='network']"):
        network = interface.find("source")
        name = "" if network is None else network.get("network", "")
        if name not in leases:
            found: Any = connection.networkLookupByName(name).DHCPLeases()
            leases[name] = {lease["mac"]: lease["ipaddr"] for lease in found}
        mac = interface.find("mac")
        address = leases[name].get("" if mac is None else mac.get("address", ""))
        if address is not None:
            return address
    table: Any = domain.interfaceAddresses(libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP)
    return next((entry["addr"] for each in table.values() for entry in each["addrs"] or ()), None)
