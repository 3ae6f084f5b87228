"""Datastores, and the files in them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from pyVmomi import vim

from simulators.vsphere.data import make
from simulators.vsphere.database import Database, Live, Object
from simulators.vsphere.files import Files
from simulators.vsphere.inventory.entities import add_entity

_GIB, _TIB = 1024**3, 1024**4
#: The largest virtual disk: 62 TiB.
MAX_DISK_BYTES = 62 * _TIB


def add_datastore(
    database: Database,
    files: Files,
    name: str,
    folder: Object,
    hosts: list[Object],
    *,
    nfs: bool = False,
    capacity: int = 10 * _TIB,
) -> Object:
    """Make a datastore that hosts have mounted.

    :param capacity: in bytes
    """
    identity = str(uuid.uuid4())
    url = f"ds:///vmfs/volumes/{identity}/"
    kind = vim.host.NasDatastoreInfo if nfs else vim.host.VmfsDatastoreInfo
    info: Any = make(
        kind,
        name=name,
        url=url,
        freeSpace=capacity,
        timestamp=datetime.now(UTC),
        maxFileSize=64 * _TIB,
        maxVirtualDiskCapacity=MAX_DISK_BYTES,
    )
    if nfs:
        info.nas = make(
            vim.host.NasVolume,
            type="NFS",
            name=name,
            capacity=capacity,
            remoteHost="nfs.example",
            remotePath="/export",
        )
    else:
        info.vmfs = make(
            vim.host.VmfsVolume,
            type="VMFS",
            name=name,
            capacity=capacity,
            blockSizeMb=1,
            majorVersion=6,
            version="6.82",
            uuid=identity,
            extent=[vim.host.ScsiDisk.Partition(diskName="naa.1", partition=1)],
        )
    made = add_entity(
        database,
        vim.Datastore,
        name,
        folder,
        info=info,
        capability=make(
            vim.Datastore.Capability, directoryHierarchySupported=True, perFileThinProvisioningSupported=True
        ),
        host=[_mount(host, identity) for host in hosts],
    )
    files.add_datastore(made.id, capacity)
    browser = database.add(vim.host.DatastoreBrowser, f"datastoreBrowser-{made.id}", datastore=[made.ref])
    made.values["browser"] = browser.ref
    made.values["summary"] = Live(lambda: _summary(made, files, "NFS" if nfs else "VMFS", len(hosts) > 1))
    return made


def _mount(host: Object, identity: str) -> vim.Datastore.HostMount:
    info = vim.host.MountInfo(
        path=f"/vmfs/volumes/{identity}", accessMode="readWrite", mounted=True, accessible=True
    )
    return vim.Datastore.HostMount(key=host.ref, mountInfo=info)


def _summary(datastore: Object, files: Files, kind: str, is_shared: bool) -> vim.Datastore.Summary:
    return make(
        vim.Datastore.Summary,
        datastore=datastore.ref,
        name=datastore["name"],
        url=datastore["info.url"],
        capacity=files.capacity(datastore.id),
        freeSpace=files.free(datastore.id),
        uncommitted=files.uncommitted(datastore.id),
        accessible=True,
        multipleHostAccess=is_shared,
        type=kind,
        maintenanceMode="normal",
    )
