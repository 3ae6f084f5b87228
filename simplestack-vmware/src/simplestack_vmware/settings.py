"""Settings of the plugin: ``[hypervisors.vmware]``. The comments of the fields are the reference."""

from typing import Annotated

from msgspec import Meta

from simplestack import TlsSettings

#: vCenter ends sessions that have been idle for this time.
_VCENTER_IDLE_SECONDS = 1800


class VmwareSettings(TlsSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The port of the hosts, the cluster that is the pool, and time limits."""

    #: Port of hosts whose URL has none.
    port: Annotated[int, Meta(ge=1, le=65535)] = 443
    #: Name or ID of the cluster of a vCenter that is the pool. Default: all clusters are.
    cluster: str | None = None
    #: Name or ID of the resource pool for new guests if the request names none. Default: the cluster's own.
    resource_pool: str | None = None
    #: Name or ID of the folder for new guests if the request names none. Default: the datacenter's own, and
    #: for clones that of the original.
    folder: str | None = None
    #: Name or ID of the datastore for new guests if the request names none. Default: that of the template,
    #: else one that most hosts can use, with the most free space.
    default_storage: str | None = None
    #: How long a guest may take to shut down.
    shutdown_timeout_seconds: Annotated[float, Meta(gt=0, le=3600)] = 40


def warnings(settings: VmwareSettings) -> list[str]:
    """Return the warnings that the service logs when it starts."""
    lines = settings.tls_warnings()
    if settings.idle_timeout_seconds >= _VCENTER_IDLE_SECONDS:
        lines.append(
            f"idle_timeout_seconds is {settings.idle_timeout_seconds:g}: vCenter ends idle sessions after "
            f"{_VCENTER_IDLE_SECONDS} s, so set less"
        )
    return lines
