"""What cloud-init in a new guest reads when the guest boots for the first time."""

from typing import Annotated, Protocol

from msgspec import Meta, Struct

from simplestack.entities.limits import HostName, SecretText, SshKey
from simplestack.entities.secrets import HidesSecrets

SshKeys = Annotated[list[SshKey], Meta(max_length=64)]


class CloudInit(HidesSecrets, Struct, frozen=True, kw_only=True):
    """Data for cloud-init in a new guest. `repr` does not show the secret fields."""

    #: User data, such as ``#cloud-config`` in YAML or a shell script. Secret.
    user_data: SecretText | None = None
    #: Network configuration in YAML, version 1 or 2. Secret.
    network_config: SecretText | None = None
    #: Host name.
    hostname: HostName | None = None
    #: Public SSH keys of the default user.
    ssh_keys: SshKeys = []


class _Fields(Protocol):
    """A body with the fields of :class:`CloudInit`."""

    @property
    def user_data(self) -> str | None: ...
    @property
    def network_config(self) -> str | None: ...
    @property
    def hostname(self) -> str | None: ...
    @property
    def ssh_keys(self) -> list[str]: ...


def cloud_init_of(body: _Fields) -> CloudInit | None:
    """Return the data for cloud-init in a body; None if it has none."""
    data = CloudInit(
        user_data=body.user_data,
        network_config=body.network_config,
        hostname=body.hostname,
        ssh_keys=body.ssh_keys,
    )
    return None if data == CloudInit() else data
