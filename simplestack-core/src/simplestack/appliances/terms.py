"""Words of OVF that descriptors are written and read with."""

from collections.abc import Mapping

from simplestack.appliances.guest import Bus, ImageFormat

OVF = "http://schemas.dmtf.org/ovf/envelope/1"
RASD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
VSSD = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData"
#: VMware's extension: the word for UEFI that other programs read, too.
VMW = "http://www.vmware.com/schema/ovf"
#: What OVF has no words for. Other programs skip it.
OWN = "urn:simplestack:kvm:appliance"

#: Types of CIM_ResourceAllocationSettingData.
CPU, MEMORY, IDE, SCSI, ETHERNET, CD, DVD, DISK, OTHER_STORAGE, USB, LOGICAL_DISK = (
    3,
    4,
    5,
    6,
    10,
    15,
    16,
    17,
    20,
    23,
    31,
)

#: Type and subtype of the controller of each bus. OVF has a type of its own for few.
CONTROLLERS: Mapping[Bus, tuple[int, str | None]] = {
    "ide": (IDE, "PIIX4"),
    "sata": (OTHER_STORAGE, "AHCI"),
    "scsi": (SCSI, None),
    "virtio": (OTHER_STORAGE, "virtio-blk"),
    "nvme": (OTHER_STORAGE, "NVMe"),
    "usb": (USB, None),
}
#: Models that other programs spell with capital letters.
SPELLINGS = {
    name.lower(): name for name in ("E1000", "E1000e", "VmxNet3", "PCNet32", "VirtualSCSI", "VirtualSCSISAS")
}

#: URIs of formats; oVirt's where the specification has none.
FORMAT_URIS: Mapping[ImageFormat, str] = {
    "qcow2": "http://www.gnome.org/~markmc/qcow-image-format.html",
    "raw": "http://en.wikipedia.org/wiki/Byte",
    "vmdk": "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized",
}
#: What is in a format's URI, in lower case, whoever wrote it.
FORMAT_MARKS: Mapping[str, ImageFormat] = {
    "qcow": "qcow2",
    "wiki/byte": "raw",
    "vmdk": "vmdk",
    "vhd": "vpc",
    "linkid=137171": "vpc",
    "vdi": "vdi",
}
