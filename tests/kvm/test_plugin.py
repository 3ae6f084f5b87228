"""The plugin as core loads it."""

import subprocess
import sys
from importlib.metadata import entry_points

from simplestack_kvm import plugin

WITHOUT_LIBVIRT = """
import sys
sys.modules["libvirt"] = None  # an import of it fails
from simplestack import Credentials, HypervisorUnavailable
from simplestack.plugins.hypervisor import make_hypervisor
from simplestack_kvm import plugin
hypervisor = make_hypervisor(plugin, "simplestack-kvm", "0")
print(len(hypervisor.hooks) > 0)
print(plugin.translate(ValueError("x")))
from simplestack_kvm.libvirtd.connection.event_loop import start_event_loop
try:
    start_event_loop()
except HypervisorUnavailable as error:
    print(error)
"""


LOADED = """
import sys
from simplestack.plugins.hypervisor import make_hypervisor
from simplestack_kvm import plugin
make_hypervisor(plugin, "simplestack-kvm", "0")
print("libvirt" in sys.modules)
"""


def test_the_entry_point_is_the_plugin() -> None:
    (found,) = entry_points(group="simplestack.hypervisors", name="kvm")
    assert found.load() is plugin
    assert plugin.aliases == ("qemu",)


def test_it_loads_without_libvirt_and_says_what_to_install() -> None:
    ran = subprocess.run([sys.executable, "-c", WITHOUT_LIBVIRT], check=True, capture_output=True, text=True)
    loads, translation, message = ran.stdout.splitlines()
    assert (loads, translation) == ("True", "None")
    assert "pip install libvirt-python" in message


def test_loading_it_does_not_import_libvirt() -> None:
    ran = subprocess.run([sys.executable, "-c", LOADED], check=True, capture_output=True, text=True)
    assert ran.stdout.strip() == "False"
