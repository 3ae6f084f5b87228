"""OVF descriptors as other programs write them."""

import pytest

from simplestack import InvalidArguments
from simplestack.appliances import (
    Appliance,
    ApplianceDisk,
    ApplianceInterface,
    chunk_name,
    names_member,
    read_descriptor,
)

RASD = 'xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"'
VMDK = "http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"


def item(kind: int, **fields: object) -> str:
    fields |= {"ResourceType": kind}
    return (
        "<Item>"
        + "".join(f"<rasd:{name}>{value}</rasd:{name}>" for name, value in fields.items())
        + "</Item>"
    )


VMWARE = f"""<?xml version="1.0" encoding="UTF-8"?>
<Envelope vmw:buildId="build-1" xmlns="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" {RASD} xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References><File ovf:href="web%201-disk1.vmdk" ovf:id="file1" ovf:size="1000"/></References>
  <DiskSection><Info>Disks</Info>
    <Disk ovf:capacity="16" ovf:capacityAllocationUnits="byte * 2^30" ovf:diskId="vmdisk1"
      ovf:fileRef="file1" ovf:format="{VMDK}" ovf:populatedSize="123"/>
  </DiskSection>
  <NetworkSection><Info>Networks</Info><Network ovf:name="VM Network"/></NetworkSection>
  <DeploymentOptionSection><Info/>
    <Configuration ovf:id="small"/><Configuration ovf:id="large" ovf:default="true"/>
  </DeploymentOptionSection>
  <VirtualSystem ovf:id="web 1"><Info/><Name>web 1</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="other3xLinux64Guest"><Info/></OperatingSystemSection>
    <VirtualHardwareSection><Info/>
      {item(3, InstanceID=1, VirtualQuantity=1)}
      {item(3, InstanceID=1, VirtualQuantity=4).replace("<Item>", '<Item ovf:configuration="large">')}
      {item(3, InstanceID=1, VirtualQuantity=2).replace("<Item>", '<Item ovf:configuration="small">')}
      {item(4, AllocationUnits="byte * 2^20", InstanceID=2, VirtualQuantity=2048)}
      {item(4, InstanceID=2, VirtualQuantity=9).replace("<Item>", '<Item ovf:bound="min">')}
      {item(6, Address=0, InstanceID=3, ResourceSubType="VirtualSCSI")}
      {item(15, InstanceID=8, Parent=5, AutomaticAllocation="false")}
      {item(17, AddressOnParent=0, HostResource="ovf:/disk/vmdisk1", InstanceID=9, Parent=3)}
      {item(10, AddressOnParent=7, Connection="VM Network", InstanceID=10, ResourceSubType="VmxNet3")}
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
      <vmw:Config ovf:required="false" vmw:key="bootOptions.efiSecureBootEnabled" vmw:value="true"/>
    </VirtualHardwareSection>
    <AnnotationSection><Info/><Annotation>The web server</Annotation></AnnotationSection>
  </VirtualSystem>
</Envelope>"""

VIRTUALBOX_2 = f"""<?xml version="1.0"?>
<Envelope ovf:version="2.0" xmlns="http://schemas.dmtf.org/ovf/envelope/2"
  xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/2" {RASD}
  xmlns:sasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_StorageAllocationSettingData.xsd"
  xmlns:epasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_EthernetPortAllocationSettingData.xsd"
  xmlns:vbox="http://www.virtualbox.org/ovf/machine">
  <References><File ovf:id="file1" ovf:href="box-disk001.vmdk"/></References>
  <DiskSection><Info/>
    <Disk ovf:capacity="8589934592" ovf:diskId="vmdisk1" ovf:fileRef="file1" ovf:format="{VMDK}"/>
  </DiskSection>
  <NetworkSection><Info/><Network ovf:name="NAT"/></NetworkSection>
  <VirtualSystem ovf:id="box"><Info/>
    <VirtualHardwareSection><Info/>
      {item(3, InstanceID=1, VirtualQuantity=1)}
      {item(4, AllocationUnits="MegaBytes", InstanceID=2, VirtualQuantity=512)}
      {item(5, Address=0, InstanceID=3, ResourceSubType="PIIX4")}
      {item(20, Address=0, InstanceID=5, ResourceSubType="AHCI")}
      {item(35, InstanceID=6, ResourceSubType="ensoniq1371")}
      <StorageItem><sasd:HostResource>/disk/vmdisk1</sasd:HostResource>
        <sasd:InstanceID>8</sasd:InstanceID><sasd:Parent>5</sasd:Parent>
        <sasd:ResourceType>31</sasd:ResourceType></StorageItem>
      <EthernetPortItem><epasd:AutomaticAllocation>true</epasd:AutomaticAllocation>
        <epasd:Connection>NAT</epasd:Connection><epasd:InstanceID>10</epasd:InstanceID>
        <epasd:ResourceSubType>E1000</epasd:ResourceSubType><epasd:ResourceType>10</epasd:ResourceType>
      </EthernetPortItem>
    </VirtualHardwareSection>
    <vbox:Machine ovf:required="false"><ovf:Info/><Hardware><Firmware type="EFI"/></Hardware></vbox:Machine>
  </VirtualSystem>
</Envelope>"""

OVIRT = f"""<?xml version="1.0" encoding="UTF-8"?>
<ovf:Envelope xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1/" {RASD}
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" ovf:version="4.4.0.0">
  <References><File ovf:href="aaaa" ovf:id="aaaa" ovf:size="197120"/></References>
  <Section xsi:type="ovf:NetworkSection_Type"><Network ovf:name="ovirtmgmt"/></Section>
  <Section xsi:type="ovf:DiskSection_Type">
    <Disk ovf:diskId="bbbb" ovf:capacity="1" ovf:capacityAllocationUnits="byte * 2^30" ovf:fileRef="aaaa"
      ovf:parentRef="" ovf:format="http://www.vmware.com/specifications/vmdk.html#sparse"
      ovf:volume-format="COW" ovf:disk-interface="VirtIO"/>
  </Section>
  <Content ovf:id="out" xsi:type="ovf:VirtualSystem_Type"><Name>vm</Name>
    <Section xsi:type="ovf:VirtualHardwareSection_Type"><Info/>
      {item(3, InstanceId=1, VirtualQuantity=2)}
      {item(4, AllocationUnits="MegaBytes", InstanceId=2, VirtualQuantity=1024)}
      {item(17, InstanceId="bbbb", HostResource="cccc/bbbb", Parent="00000000-0000-0000-0000-000000000000")}
      {item(10, InstanceId="dddd", Connection="ovirtmgmt", ResourceSubType=3, MACAddress="56:6F:00:00:00:01")}
      {item(20, InstanceId="eeee")}
    </Section>
  </Content>
</ovf:Envelope>"""


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        (
            VMWARE,
            Appliance(
                name="web 1",
                memory_mib=2048,
                cpus=4,
                firmware="efi",
                secure_boot=True,
                description="The web server",
                disks=(
                    ApplianceDisk(
                        href="web%201-disk1.vmdk",
                        capacity_bytes=16 * 1024**3,
                        file_bytes=1000,
                        populated_bytes=123,
                        format="vmdk",
                        bus="scsi",
                        controller="virtualscsi",
                    ),
                ),
                interfaces=(ApplianceInterface(network="VM Network", model="vmxnet3"),),
                cd_drives=1,
            ),
        ),
        (
            VIRTUALBOX_2,
            Appliance(
                name="box",
                memory_mib=512,
                cpus=1,
                firmware="efi",
                disks=(
                    ApplianceDisk(
                        href="box-disk001.vmdk", capacity_bytes=8 * 1024**3, format="vmdk", bus="sata"
                    ),
                ),
                interfaces=(ApplianceInterface(network="NAT", model="e1000"),),
            ),
        ),
        (
            OVIRT,
            Appliance(
                name="vm",
                memory_mib=1024,
                cpus=2,
                disks=(
                    ApplianceDisk(
                        href="aaaa",
                        capacity_bytes=1024**3,
                        file_bytes=197120,
                        format="qcow2",
                        bus="virtio",
                    ),
                ),
                interfaces=(ApplianceInterface(network="ovirtmgmt", mac="56:6f:00:00:00:01", model="3"),),
            ),
        ),
    ],
    ids=["vmware", "virtualbox", "ovirt"],
)
def test_descriptors_of_other_programs_are_read(document: str, expected: Appliance) -> None:
    assert read_descriptor(document.encode()) == expected
    assert read_descriptor(document.replace("UTF-8", "UTF-16").encode("utf-16")) == expected


def test_the_one_guest_of_a_collection_is_read() -> None:
    start, end = '<VirtualSystem ovf:id="web 1">', "</VirtualSystem>"
    collection = VMWARE.replace(start, f'<VirtualSystemCollection ovf:id="x"><Info/>{start}')
    one = collection.replace(end, f"{end}</VirtualSystemCollection>")
    assert read_descriptor(one.encode()).name == "web 1"
    two = collection.replace(end, f'{end}<VirtualSystem ovf:id="b"/></VirtualSystemCollection>')
    with pytest.raises(InvalidArguments, match="several guests"):
        read_descriptor(two.encode())


def test_drives_whose_items_have_the_same_id_are_all_read() -> None:
    document = VMWARE.replace("<rasd:InstanceID>9<", "<rasd:InstanceID>10<")
    assert len(read_descriptor(document.encode()).disks) == 1


def test_names_that_are_written_as_in_a_url_mean_their_members() -> None:
    assert names_member("web%201-disk1.vmdk", "web 1-disk1.vmdk")
    assert names_member("disk1.vmdk", "./disk1.vmdk")
    assert names_member("a%b.vmdk", "a%b.vmdk")
    assert not names_member("disk1.vmdk", "disk2.vmdk")


def test_chunks_are_numbered_with_nine_digits() -> None:
    assert [chunk_name("disk1.vmdk", number) for number in (0, 12)] == [
        "disk1.vmdk.000000000",
        "disk1.vmdk.000000012",
    ]
