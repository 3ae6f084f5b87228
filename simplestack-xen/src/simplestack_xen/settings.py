"""Settings of the plugin: ``[hypervisors.xen]``. The comments of the fields are the reference."""

from typing import Annotated

from msgspec import Meta

from simplestack import TlsSettings


class XenSettings(TlsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults for guests. A `tls_fingerprint` has to list those of all hosts of a pool."""

    #: Name or UUID of the storage repository for new disks and imports if the request names none. Default:
    #: the pool's default repository, else the one with the most free space.
    default_storage: str | None = None
    #: How long a guest may take to shut down or to reboot.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40
