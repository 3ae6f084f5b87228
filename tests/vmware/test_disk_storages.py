"""Which storages new disks can be in: those of the guest's host."""

import pytest
from pyVmomi import vim

from simplestack import Conflict, DiskCreate, EntityNotFound
from simplestack_vmware.hooks.disks import disk_create
from simplestack_vmware.hooks.storages import storage_list
from simplestack_vmware.vsphere.sessions.session import VmwareSession
from support.vsphere import Host

from .deletions import disks, id_of
from .linked_clones import disk_files
from .test_disk_places import in_other_datacenter


def test_a_storage_of_another_datacenter_is_rejected_though_the_host_has_one_of_its_name(
    vcenter: Host, session: VmwareSession
) -> None:
    """By its name, vSphere would put the disk into the wrong one."""
    own = {each.id for each in storage_list(session)}
    in_other_datacenter(vcenter, "shared-1", url=None)
    (other,) = [each for each in storage_list(session) if each.id not in own]
    assert other.name == "shared-1"
    before = disk_files(vcenter)
    with pytest.raises(Conflict, match="the guest's host does not have storage 'shared-1'"):
        disk_create(session, id_of(vcenter), DiskCreate(size=1, storage_id=other.id))
    assert disk_files(vcenter) == before


def test_of_two_storages_of_a_name_the_one_of_the_guests_host_is_meant(
    vcenter: Host, session: VmwareSession
) -> None:
    in_other_datacenter(vcenter, "shared-1", url=None)
    made = disk_create(session, id_of(vcenter), DiskCreate(size=1, storage_id="shared-1"))
    assert made.extra_info is not None
    assert made.extra_info.startswith("[shared-1] vm-1/")
    assert disks(vcenter)[-1].backing.datastore in list(vcenter.all(vim.HostSystem)[0]["datastore"])


def test_a_storage_that_is_nowhere_is_not_found(vcenter: Host, session: VmwareSession) -> None:
    with pytest.raises(EntityNotFound, match="Storage:nowhere"):
        disk_create(session, id_of(vcenter), DiskCreate(size=1, storage_id="nowhere"))
