"""The options of the conformance kit, for pytest: ``pytest --pyargs simplestack.conformance --help``.

Every pytest run in an environment with simplestack-core loads this module, so it imports nothing of
Simplestack, and options such as ``--host`` exist only in runs that ask for the kit: other plugins have some
of the same names.
"""

import os
import re
import shlex
from pathlib import Path

import pytest

PASSWORD_VARIABLE = "SIMPLESTACK_KIT_PASSWORD"  # noqa: S105  the name of a variable
MARKER = "simplestack_drives"
_KIT = re.compile(r"simplestack[./\\]conformance|\A--hypervisor\b|\A--help\Z|\A-h\Z")
_USAGE = (
    "the conformance kit needs a target: "
    "pytest --pyargs simplestack.conformance --hypervisor NAME --host HOST --username USER"
)

#: Option, placeholder, help. Each becomes `simplestack_OPTION`.
_OPTIONS = (
    ("--hypervisor", "NAME", "name of the installed plugin to test, as in the URL"),
    ("--host", "HOST[:PORT]", "the target, as the plugin connects to it"),
    ("--username", "USER", "who logs in to the target (kit)"),
    ("--password", "WORD", f"the password of a test target; better: {PASSWORD_VARIABLE}, --password-file"),
    ("--password-file", "FILE", "a file whose first line is the password"),
    ("--config", "FILE", "the service's settings (TOML), for both ways in"),
    (
        "--image",
        "NAME",
        "guest_create: an image (a volume in a storage) of a small guest that powers off by ACPI",
    ),
    ("--image-file", "FILE", "guest_import: an image of a small guest; without it, one is exported first"),
    ("--template", "NAME", "guest_create: id or name of a template; without it, a guest of the kit's own"),
    ("--iso", "NAME", "media_mount and guest_create: the name of an ISO image in a storage"),
    ("--storage", "NAME", "id or name of the storage for new disks; without it, the plugin chooses"),
    ("--network", "NAME", "the network that guests join; without it, the first of network_list"),
    (
        "--other-network",
        "NAME",
        "network_interface_update: the network to move to; without it, the second listed",
    ),
    (
        "--trunk",
        "NAME",
        "network_vlan_create: the network below the VLANs. Two networks stay, for nothing removes them",
    ),
    ("--vlans", "FIRST-LAST", "network_vlan_create: tags that may be used (3900-3999)"),
    (
        "--guest",
        "ID",
        "power: a guest that may be started and stopped, of plugins that can neither create nor import one",
    ),
    ("--memory", "MIB", "memory of the kit's guests (128)"),
    ("--patience", "SECONDS", "how long a guest's operating system may take to boot and to obey (120)"),
)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the kit's options to a run that asks for the kit, or for help."""
    config = pluginmanager.get_plugin("pytestconfig")
    if not isinstance(config, pytest.Config) or not _asked_for(config):
        return
    group = parser.getgroup("simplestack", "simplestack.conformance: the kit for hypervisor plugins")
    for option, metavar, text in _OPTIONS:
        group.addoption(option, metavar=metavar, help=text, dest=_destination(option))
    group.addoption(
        "--any-password",
        action="store_true",
        help="the target lets every password in: without this, a wrong one must be refused",
        dest=_destination("--any-password"),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a run of the kit that names no target; prepare one that does."""
    config.addinivalue_line("markers", f"{MARKER}(*names): operations or hooks that a test of the kit drives")
    wants_kit = any(re.search(r"simplestack[./\\]conformance", word) for word in config.args)
    hypervisor = config.getoption(_destination("--hypervisor"), default=None)
    if config.option.help:
        return
    if wants_kit and not (hypervisor and config.getoption(_destination("--host"))):
        raise pytest.UsageError(_USAGE)
    if hypervisor:
        # Only now: what follows imports Simplestack, and the plugin that is tested.
        from simplestack.conformance.report import KitReport  # noqa: PLC0415  see above

        config.pluginmanager.register(KitReport(config), "simplestack-kit-report")


def _asked_for(config: pytest.Config) -> bool:
    words = [
        *config.invocation_params.args,
        *config.getini("addopts"),
        *shlex.split(os.environ.get("PYTEST_ADDOPTS", "")),
    ]
    return any(_KIT.search(str(word)) for word in words) or _is_inside_kit()


def _is_inside_kit() -> bool:
    return Path.cwd().parts[-2:] == ("simplestack", "conformance")


def _destination(option: str) -> str:
    return f"simplestack_{option.removeprefix('--').replace('-', '_')}"
