"""Virtual appliances: guests as archives (OVA), described in the Open Virtualization Format (OVF).

For plugins that export or import them. Nothing here knows a hypervisor. What comes from a client is not
trusted: it is read once from start to end, in pieces, within limits.

Reference: DMTF DSP0243, "Open Virtualization Format Specification" 1.1.0.
"""

from simplestack.appliances.archive_reader import BLOCK_BYTES, ArchiveMember, ArchiveReader, is_archive
from simplestack.appliances.archive_writer import ArchiveStream, NewMember, archive_bytes, archive_chunks
from simplestack.appliances.descriptor_reader import read_descriptor
from simplestack.appliances.descriptor_writer import write_descriptor
from simplestack.appliances.digests import MAX_MANIFEST_BYTES, Manifest, RunningDigests
from simplestack.appliances.guest import (
    Appliance,
    ApplianceDisk,
    ApplianceInterface,
    Bus,
    Firmware,
    ImageFormat,
)
from simplestack.appliances.incoming import Announced, Incoming, Source
from simplestack.appliances.inflating import GZIP_MARK, Inflated
from simplestack.appliances.members import chunk_name, names_member, spellings
from simplestack.appliances.reader import ApplianceReader, DiskFile, open_archive
from simplestack.appliances.xml_input import MAX_DESCRIPTOR_BYTES, descriptor_text

__all__ = [
    "BLOCK_BYTES",
    "GZIP_MARK",
    "MAX_DESCRIPTOR_BYTES",
    "MAX_MANIFEST_BYTES",
    "Announced",
    "Appliance",
    "ApplianceDisk",
    "ApplianceInterface",
    "ApplianceReader",
    "ArchiveMember",
    "ArchiveReader",
    "ArchiveStream",
    "Bus",
    "DiskFile",
    "Firmware",
    "ImageFormat",
    "Incoming",
    "Inflated",
    "Manifest",
    "NewMember",
    "RunningDigests",
    "Source",
    "archive_bytes",
    "archive_chunks",
    "chunk_name",
    "descriptor_text",
    "is_archive",
    "names_member",
    "open_archive",
    "read_descriptor",
    "spellings",
    "write_descriptor",
]
