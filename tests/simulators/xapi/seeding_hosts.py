"""The hosts that a simulator begins with: their interfaces, and the storages that they are connected to."""

from collections.abc import Mapping, Sequence

from simulators.xapi.database import Database, Object

_GIB = 1024**3
_VERSIONS = {
    "product_brand": "XAPI simulator",
    "product_version": "8.3.0",
    "platform_version": "3.4.0",
    "xapi": "26.21",
    "xen": "4.17.5",
}


def make_host(database: Database, number: int) -> Object:
    """Make a host without interfaces."""
    host = database.add(
        "host",
        {
            "name_label": f"xen-{number}",
            "hostname": f"xen-{number}",
            "enabled": True,
            "address": f"127.0.0.{number}",
            "software_version": dict(_VERSIONS),
        },
    )
    metrics = {"memory_total": 64 * _GIB, "memory_free": 48 * _GIB, "live": True}
    host["metrics"] = database.add("host_metrics", metrics).ref
    return host


def make_network(database: Database, hosts: Sequence[Object], device: int) -> Object:
    """Make a network that each host has an interface in."""
    network = database.add(
        "network",
        {
            "name_label": f"Pool-wide network {device}",
            "bridge": f"xenbr{device}",
            "MTU": 1500,
            "managed": True,
        },
    )
    for number, host in enumerate(hosts):
        mac = f"00:16:3e:00:{2 * number:02x}:{device:02x}"
        values: dict[str, str | bool] = {"device": f"eth{device}", "MAC": mac}
        values |= {"physical": True, "management": device == 0}
        _wire(database, host, network, values)
    return network


def make_bond(database: Database, hosts: Sequence[Object], number: int) -> None:
    """Make two interfaces one: a third, which has a network of its own. Theirs are still there."""
    parts = [make_network(database, hosts, device=2 + 2 * number + each)["PIFs"] for each in range(2)]
    network = database.add(
        "network",
        {"name_label": f"Bond {number}", "bridge": f"xapi-bond{number}", "MTU": 1500, "managed": True},
    )
    for place, host in enumerate(hosts):
        mac = f"00:16:3e:00:{2 * place + 1:02x}:{number:02x}"
        master = _wire(database, host, network, {"device": f"bond{number}", "MAC": mac})
        slaves = [pifs[place] for pifs in parts]
        bond = database.add("Bond", {"master": master.ref, "slaves": slaves})
        master["bond_master_of"] = [bond.ref]
        for slave in slaves:
            database.get("PIF", slave)["bond_slave_of"] = bond.ref


def make_storage(
    database: Database, hosts: Sequence[Object], label: str, kind: str, *, size: int, content: str = "user"
) -> Object:
    """Make a storage that hosts are connected to."""
    storage = database.add(
        "SR",
        {
            "name_label": label,
            "type": kind,
            "content_type": content,
            "physical_size": size,
            "shared": len(hosts) > 1,
        },
    )
    for host in hosts:
        plug = database.add("PBD", {"host": host.ref, "SR": storage.ref, "currently_attached": True})
        storage["PBDs"] = [*storage["PBDs"], plug.ref]
        host["PBDs"] = [*host["PBDs"], plug.ref]
    return storage


def make_removable(database: Database, host: Object, label: str, content: str, size: int) -> None:
    """Make the storage of a host's own drives for media, which is full of what is in them."""
    storage = make_storage(database, [host], label, "udev", size=size, content=content)
    storage["physical_utilisation"] = storage["virtual_allocation"] = size


def _wire(database: Database, host: Object, network: Object, values: Mapping[str, str | bool]) -> Object:
    own = {"network": network.ref, "host": host.ref, "MTU": 1500, "VLAN": -1, "currently_attached": True}
    interface = database.add("PIF", {**values, **own})
    network["PIFs"] = [*network["PIFs"], interface.ref]
    host["PIFs"] = [*host["PIFs"], interface.ref]
    return interface
