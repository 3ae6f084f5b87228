"""Data for cloud-init, as its data source VMware reads it: options of the VM that begin with ``guestinfo.``.

https://docs.cloud-init.io/en/latest/reference/datasources/vmware.html
"""

import base64
import gzip
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from simplestack import CloudInit, InvalidArguments
from simplestack_vmware.sdk import vim

if TYPE_CHECKING:
    Options = list[vim.option.OptionValue]

_PREFIX = "guestinfo."
_ENCODING = "gzip+base64"
#: All that cloud-init reads.
_NAMES = ("metadata", "userdata", "vendordata")
_KEYS = tuple(f"{_PREFIX}{name}{suffix}" for name in _NAMES for suffix in ("", ".encoding"))
#: A guest reads an option in a message of at most 64 KiB (``GUESTMSG_MAX_IN_SIZE`` of open-vm-tools).
_MAX_VALUE_BYTES = 64_000


def cloud_init_options(
    guest_id: str, data: CloudInit | None, copied: Iterable[str] | None = None
) -> "Options":
    """Return the options for a new VM. Those that are copied from another VM are cleared.

    The values are secret.

    :param guest_id: what cloud-init tells a new guest by
    :param copied: keys of all options of the VM that is copied, if one is
    :raises InvalidArguments: the data is too long for the guest to read
    """
    values = {} if data is None else _values(guest_id, data)
    # vSphere ignores the case of keys, and may show none to this user. An empty value removes an option.
    old = {key.lower(): key for key in copied or () if key.lower().startswith(_PREFIX)}
    if copied is not None:
        values = dict.fromkeys((*_KEYS, *old), "") | values
    return [vim.option.OptionValue(key=old.get(key, key), value=value) for key, value in values.items()]


def _values(guest_id: str, data: CloudInit) -> dict[str, str]:
    metadata = {"instance-id": guest_id}
    if data.hostname is not None:
        metadata["local-hostname"] = data.hostname
    if data.ssh_keys:
        metadata["public-keys-data"] = "\n".join(data.ssh_keys)
    if data.network_config is not None:
        metadata["network"] = _encoded(data.network_config)
        metadata["network.encoding"] = _ENCODING
    values = {f"{_PREFIX}metadata": _encoded(json.dumps(metadata)), f"{_PREFIX}metadata.encoding": _ENCODING}
    _check_size(values[f"{_PREFIX}metadata"], "`network_config` and `ssh_keys` are")
    if data.user_data is not None:
        values[f"{_PREFIX}userdata"] = _encoded(data.user_data)
        values[f"{_PREFIX}userdata.encoding"] = _ENCODING
        _check_size(values[f"{_PREFIX}userdata"], "`user_data` is")
    return values


def _encoded(text: str) -> str:
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()


def _check_size(value: str, what: str) -> None:
    if len(value) > _MAX_VALUE_BYTES:
        raise InvalidArguments(
            f"{what} too long: compressed and in base64, it takes {len(value)} bytes, and a guest of vSphere "
            f"can read {_MAX_VALUE_BYTES}: let it download the rest"
        )
