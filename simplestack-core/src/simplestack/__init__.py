"""The public API for plugins and scripts. Everything that is not here is private."""

from simplestack.config.errors import SettingsError
from simplestack.config.settings import HypervisorSettings, ServiceSettings
from simplestack.dispatch.warnings import warn
from simplestack.entities.call_context import CallContext
from simplestack.entities.cloud_init import CloudInit
from simplestack.entities.disk import Disk, DiskCreate, DiskUpdate
from simplestack.entities.growth import grown_bytes
from simplestack.entities.guest import (
    Firmware,
    Guest,
    GuestCreate,
    GuestImport,
    GuestState,
    GuestUpdate,
    NewDisk,
    NewNetworkInterface,
)
from simplestack.entities.limits import (
    GIB,
    MAX_DISK_GIB,
    MAX_RATE_BITS,
    MIB,
    AbsolutePath,
    Cpus,
    Mac,
    MemoryMiB,
    Name,
    PrivateFile,
    ReadableFile,
    gib,
    gib_to_bytes,
)
from simplestack.entities.media import Media
from simplestack.entities.names import free_name
from simplestack.entities.network import (
    LockingMode,
    Network,
    NetworkCreate,
    NetworkInterface,
    NetworkInterfaceCreate,
    NetworkInterfaceUpdate,
)
from simplestack.entities.pool import Host, Pool
from simplestack.entities.snapshot import Snapshot
from simplestack.entities.storage import Storage
from simplestack.entities.transfer import CHUNK_BYTES, Export, ImportStream, WrappableStream
from simplestack.errors import (
    UNKNOWN_OUTCOME,
    Busy,
    Conflict,
    EntityNotFound,
    HostNotAllowed,
    HypervisorError,
    HypervisorNotFound,
    HypervisorTimeout,
    HypervisorUnavailable,
    InsufficientStorage,
    InvalidArguments,
    InvalidState,
    LengthRequired,
    OperationNotSupported,
    OperationTimeout,
    PayloadTooLarge,
    PermissionDenied,
    RequestTimeout,
    ServiceBusy,
    SessionExpired,
    SimplestackError,
    Unauthorized,
    require_one,
    require_state,
)
from simplestack.hookspecs.services import Routes
from simplestack.https.client import HttpsClient, HttpsRequest
from simplestack.https.connections import HttpsConnection
from simplestack.https.settings import TlsSettings
from simplestack.https.sockets import TlsSocket
from simplestack.identity.accounts import check_account
from simplestack.identity.credentials import Credentials
from simplestack.ids import is_uuid
from simplestack.lazy_sdk import LazySdk
from simplestack.markers import hookimpl
from simplestack.nocloud import nocloud_image
from simplestack.plugins.description import HypervisorPlugin
from simplestack.plugins.service_description import ServicePlugin
from simplestack.sessions.targets import Target
from simplestack.sessions.time_limits import DeadlineExceeded, call_or_abandon, time_left_seconds
from simplestack.stack import Stack
from simplestack.undo import Undo
from simplestack.xml_characters import forbidden_in_xml
from simplestack.xml_parsing import parse_xml

__all__ = [
    "CHUNK_BYTES",
    "GIB",
    "MAX_DISK_GIB",
    "MAX_RATE_BITS",
    "MIB",
    "UNKNOWN_OUTCOME",
    "AbsolutePath",
    "Busy",
    "CallContext",
    "CloudInit",
    "Conflict",
    "Cpus",
    "Credentials",
    "DeadlineExceeded",
    "Disk",
    "DiskCreate",
    "DiskUpdate",
    "EntityNotFound",
    "Export",
    "Firmware",
    "Guest",
    "GuestCreate",
    "GuestImport",
    "GuestState",
    "GuestUpdate",
    "Host",
    "HostNotAllowed",
    "HttpsClient",
    "HttpsConnection",
    "HttpsRequest",
    "HypervisorError",
    "HypervisorNotFound",
    "HypervisorPlugin",
    "HypervisorSettings",
    "HypervisorTimeout",
    "HypervisorUnavailable",
    "ImportStream",
    "InsufficientStorage",
    "InvalidArguments",
    "InvalidState",
    "LazySdk",
    "LengthRequired",
    "LockingMode",
    "Mac",
    "Media",
    "MemoryMiB",
    "Name",
    "Network",
    "NetworkCreate",
    "NetworkInterface",
    "NetworkInterfaceCreate",
    "NetworkInterfaceUpdate",
    "NewDisk",
    "NewNetworkInterface",
    "OperationNotSupported",
    "OperationTimeout",
    "PayloadTooLarge",
    "PermissionDenied",
    "Pool",
    "PrivateFile",
    "ReadableFile",
    "RequestTimeout",
    "Routes",
    "ServiceBusy",
    "ServicePlugin",
    "ServiceSettings",
    "SessionExpired",
    "SettingsError",
    "SimplestackError",
    "Snapshot",
    "Stack",
    "Storage",
    "Target",
    "TlsSettings",
    "TlsSocket",
    "Unauthorized",
    "Undo",
    "WrappableStream",
    "call_or_abandon",
    "check_account",
    "forbidden_in_xml",
    "free_name",
    "gib",
    "gib_to_bytes",
    "grown_bytes",
    "hookimpl",
    "is_uuid",
    "nocloud_image",
    "parse_xml",
    "require_one",
    "require_state",
    "time_left_seconds",
    "warn",
]
