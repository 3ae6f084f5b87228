"""All that is on a host of the tests, to compare it before and after."""

from pathlib import Path

import libvirt

from .counterparts.libvirtd import Libvirtd

#: Below the daemon's folder: the pool; definitions of all kinds; UEFI variables, saved guests, snapshots.
_FOLDERS = ("pool", "etc-libvirt", "lib/qemu")


def host_state(connection: "libvirt.virConnect", libvirtd: Libvirtd) -> dict[str, object]:
    """Return everything on the host that libvirt knows, and the files of the pool and of libvirt itself."""
    pools = connection.listAllStoragePools()
    for pool in pools:
        pool.refresh()
    return {
        "domains": sorted(
            (each.UUIDString(), each.state(), each.XMLDesc()) for each in connection.listAllDomains()
        ),
        "pools": sorted((each.name(), each.isActive(), each.autostart()) for each in pools),
        "volumes": sorted(volume.key() for pool in pools for volume in pool.listAllVolumes()),
        "networks": sorted((each.isActive(), each.XMLDesc()) for each in connection.listAllNetworks()),
        "nwfilters": sorted(each.XMLDesc() for each in connection.listAllNWFilters()),
        "nwfilter bindings": [each.portDev() for each in connection.listAllNWFilterBindings()],
        "secrets": sorted(each.XMLDesc() for each in connection.listAllSecrets()),
        "files": sorted(
            (str(path), path.stat().st_size, path.stat().st_mtime_ns, path.stat().st_uid)
            for folder in _FOLDERS
            for path in _files(libvirtd.folder / folder)
        ),
    }


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
