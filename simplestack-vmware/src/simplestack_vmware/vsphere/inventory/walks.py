"""The walks to all guests, hosts, datastores and networks. Each list starts at the root folder."""

from simplestack_vmware.vsphere.reading.queries import Walk

_FOLDERS = Walk(
    "Folder", "childEntity", ("Folder", "Datacenter", "ComputeResource", "VirtualApp", "VirtualMachine")
)

#: To all VMs and templates, also those in vApps, which are in no folder.
TO_VMS = (
    _FOLDERS,
    Walk("Datacenter", "vmFolder", ("Folder",)),
    Walk("VirtualApp", "vm", ("VirtualMachine",)),
    Walk("VirtualApp", "resourcePool", ("VirtualApp",)),
)
#: From a VM to the host that runs it.
TO_THEIR_HOSTS = Walk("VirtualMachine", "runtime.host")
#: From VMs to the networks that they are connected to.
TO_THEIR_NETWORKS = Walk("VirtualMachine", "network")
#: To all hosts and clusters.
TO_HOSTS = (
    _FOLDERS,
    Walk("Datacenter", "hostFolder", ("Folder", "ComputeResource")),
    Walk("ComputeResource", "host", ("HostSystem",)),
)
#: To all VMs and all hosts. A walk from VMs to their hosts takes longer: it meets a host for each of its VMs.
TO_VMS_AND_HOSTS = tuple(dict.fromkeys(TO_VMS + TO_HOSTS))
#: From VMs to their snapshots.
TO_THEIR_SNAPSHOTS = (
    Walk("VirtualMachine", "rootSnapshot", ("VirtualMachineSnapshot",)),
    Walk("VirtualMachineSnapshot", "childSnapshot", ("VirtualMachineSnapshot",)),
)
#: To all datastores, for walks that lead to the folders anyway.
WITH_DATASTORES = Walk("Datacenter", "datastore")
TO_DATASTORES = (_FOLDERS, WITH_DATASTORES)
TO_NETWORKS = (_FOLDERS, Walk("Datacenter", "network"))
#: From a VM to the datastores of its host.
TO_ITS_HOSTS_DATASTORES = (
    Walk("VirtualMachine", "runtime.host", ("HostSystem",)),
    Walk("HostSystem", "datastore"),
)
