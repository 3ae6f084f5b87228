"""Plugins in a process of their own, in which nothing has imported their SDK yet."""

import subprocess
import sys

_LOADED = """
import sys
from simplestack.plugins.hypervisor import make_hypervisor
from {package} import plugin
make_hypervisor(plugin, "{package}", "0")
print("{sdk}" in sys.modules)
"""
_WITHOUT_SDK = """
import sys
sys.modules["{sdk}"] = None  # an import of it fails
from simplestack import Credentials, HypervisorUnavailable, Target
from simplestack.plugins.hypervisor import make_hypervisor
from {package} import plugin
hypervisor = make_hypervisor(plugin, "{package}", "0")
print(len(hypervisor.operations) > 0)
print(plugin.translate(ValueError("x")))
try:
    {use}
except HypervisorUnavailable as error:
    print(error)
"""


def imports_sdk(package: str, sdk: str) -> bool:
    """Return whether a plugin imports its SDK when it is loaded."""
    return _printed(_LOADED.format(package=package, sdk=sdk)) == ["True"]


def error_without_sdk(package: str, sdk: str, use: str) -> str:
    """Load a plugin where its SDK cannot be imported, and return what clients read when it is used.

    :param use: a statement that needs the SDK
    """
    loads, translation, message = _printed(_WITHOUT_SDK.format(package=package, sdk=sdk, use=use))
    assert (loads, translation) == ("True", "None")
    return message


def connecting_to(port: int) -> str:
    """Return the statement that connects a plugin to this machine."""
    return f'plugin.connect(Target("127.0.0.1", {port}), Credentials("root", "secret"), plugin.settings())'


def _printed(program: str) -> list[str]:
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return ran.stdout.splitlines()
