"""The command line options of the kit. This module works without pytest."""

from typing import NamedTuple

PASSWORD_VARIABLE = "SIMPLESTACK_KIT_PASSWORD"  # noqa: S105  the name of a variable
USAGE = (
    "the conformance kit needs a host to test: simplestack conformance NAME --host HOST --username USER, or "
    "pytest -p simplestack.conformance --hypervisor NAME --host HOST --username USER"
)


class KitOption(NamedTuple):
    """An option of the kit.

    :param metavar: placeholder of its value; None for a flag
    """

    name: str
    metavar: str | None
    help: str

    @property
    def destination(self) -> str:
        """Name of the value in pytest's configuration."""
        return f"simplestack_{self.name.removeprefix('--').replace('-', '_')}"


HYPERVISOR = KitOption("--hypervisor", "NAME", "Plugin to test, by its name in URLs.")
HOST = KitOption("--host", "HOST", "Host to test against: HOST or HOST:PORT, as in the service's URLs.")
#: In the order of the help text.
OPTIONS = (
    HYPERVISOR,
    HOST,
    KitOption("--username", "USER", "User who logs in to the host. Default: kit."),
    KitOption(
        "--password",
        "PASSWORD",
        "Password of a test host. Other users of this machine can read it: prefer the environment variable "
        f"{PASSWORD_VARIABLE} or --password-file.",
    ),
    KitOption("--password-file", "FILE", "File whose first line is the password."),
    KitOption("--any-password", None, "The host accepts any password. Default: it must reject a wrong one."),
    KitOption("--config", "FILE", "Settings of the service (TOML), for Stack and for HTTP."),
    KitOption(
        "--image",
        "NAME",
        "guest_create: image (a volume in a storage) of a small guest that shuts down on an ACPI request.",
    ),
    KitOption("--image-file", "FILE", "guest_import: image of a small guest. Default: export one first."),
    KitOption("--template", "NAME", "guest_create: ID or name of a template. Default: none."),
    KitOption("--iso", "NAME", "media_mount and guest_create: name of an ISO image in a storage."),
    KitOption("--storage", "NAME", "ID or name of the storage for new disks. Default: the plugin's choice."),
    KitOption("--network", "NAME", "Network that guests join. Default: the first of network_list."),
    KitOption(
        "--other-network",
        "NAME",
        "network_interface_update: network to move to. Default: the second of network_list.",
    ),
    KitOption(
        "--trunk",
        "NAME",
        "network_vlan_create: network below the VLANs. Two networks stay: no operation removes them.",
    ),
    KitOption("--vlans", "FIRST-LAST", "network_vlan_create: VLAN tags to use. Default: 3900-3999."),
    KitOption(
        "--guest",
        "ID",
        "Power operations: guest to start and stop, for plugins that can neither create nor import one.",
    ),
    KitOption("--memory", "MIB", "Memory of the kit's guests, in MiB. Default: 128."),
    KitOption(
        "--patience",
        "SECONDS",
        "How long a guest's operating system may take to boot or to follow a request. Default: 120.",
    ),
    KitOption(
        "--way", "WAY", "Run only the tests through `stack` or only those through `http`. Default: both."
    ),
)
