"""Requests with wrong fields."""

from typing import Any

from support.wrong_requests.model import GUEST, INTERFACES, MAC, NEW, WrongRequest

POWER = f"{GUEST}/power"


def _invalid(what: str, method: str, path: str, body: Any, message: str, *not_on: str) -> WrongRequest:
    return WrongRequest(what, method, path, body, 400, "InvalidArguments", message, not_on)


FIELDS = (
    _invalid(
        "less hdd",
        "PUT",
        GUEST,
        {"hdd": 1},
        "`hdd`: 1 GiB is less than the guest's disks have (2 GiB): disks can only grow",
    ),
    _invalid(
        "smaller disk",
        "PUT",
        f"{GUEST}/disks/{{disk}}",
        {"size": 1.5},
        "`size`: 1.5 GiB is less than the disk has (2 GiB): disks can only grow",
    ),
    _invalid(
        "hdd of a guest without disks",
        "PUT",
        "/guests/{bare}",
        {"hdd": 1},
        "`hdd`: the guest has no disk to grow: add one first",
    ),
    _invalid(
        "no address",
        "PUT",
        f"{INTERFACES}/{MAC}",
        {"ipv4_allowed": ["desk"]},
        "`ipv4_allowed`: 'desk' is not an IPv4 address",
        "vmware",  # which cannot restrict addresses
    ),
    _invalid(
        "no power state",
        "PUT",
        POWER,
        {"state": "on"},
        "'on' is not a power state: use start, stop, force_stop, pause or resume",
    ),
    _invalid(
        "no locking mode",
        "PUT",
        f"{INTERFACES}/{MAC}",
        {"locking_mode": "open"},
        "'open' is not a locking mode: use network_default, locked, unlocked or disabled",
    ),
    _invalid(
        "misspelt field",
        "POST",
        "/guests",
        NEW | {"disks": [{"size": 1, "storge": "x"}]},
        "unknown field `disks[0].storge`; did you mean `storage`?",
    ),
    _invalid(
        "text for memory",
        "POST",
        "/guests",
        {"name": "new", "memory": "1G"},
        "`memory` is the string '1G': send a whole number of MiB (1 to 67108864) or null",
    ),
    _invalid(
        "no memory",
        "POST",
        "/guests",
        {"name": "new"},
        "`memory` is missing: send a whole number of MiB, or the `template` to copy",
    ),
    _invalid(
        "multicast address",
        "POST",
        INTERFACES,
        {"network": "{network}", "mac": "01:00:5e:00:00:01"},
        "`mac` is the multicast address 01:00:5e:00:00:01: send a unicast address",
    ),
)
