"""The plugin as core loads it."""

from importlib.metadata import entry_points

from simplestack_kvm import plugin
from support.loading import error_without_sdk, imports_sdk

#: Connecting would ask for an account first.
USE = "from simplestack_kvm.libvirtd.connection.event_loop import start_event_loop; start_event_loop()"


def test_the_entry_point_is_the_plugin() -> None:
    (found,) = entry_points(group="simplestack.hypervisors", name="kvm")
    assert found.load() is plugin
    assert plugin.aliases == ("qemu",)


def test_it_loads_without_the_sdk_and_says_what_to_install() -> None:
    message = error_without_sdk("simplestack_kvm", "libvirt", USE)
    assert "pip install libvirt-python" in message


def test_loading_it_does_not_import_the_sdk() -> None:
    assert not imports_sdk("simplestack_kvm", "libvirt")
