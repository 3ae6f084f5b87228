"""The plugin as core loads it, and its examples."""

from importlib.metadata import entry_points
from pathlib import Path

from simplestack.plugins.hypervisor import make_hypervisor
from simplestack_vmware import plugin
from simulators.tls import Trust
from support.examples import Recorder, Surroundings, compare, tell
from support.loading import connecting_to, error_without_sdk, imports_sdk
from support.service import running_service, token
from support.vsphere import PASSWORD, Host, running_leases


def test_the_entry_point_is_the_plugin() -> None:
    (found,) = entry_points(group="simplestack.hypervisors", name="vmware")
    assert found.load() is plugin


def test_the_examples_are_what_it_answers(vcenter: Host, lease_trust: Trust, tmp_path: Path) -> None:
    with running_leases(vcenter, lease_trust), running_service(tmp_path, vcenter.toml) as service:
        service.default_headers["X-Simplestack-Hypervisor-Token"] = token(vcenter.user, PASSWORD)
        operations = frozenset(make_hypervisor(plugin, "simplestack-vmware", "0").operations)
        replacements = {"127.0.0.1": "vcenter.example"}
        recorder = Recorder(service, f"/vmware/{vcenter.name}", operations, replacements)
        surroundings = Surroundings(
            create={
                "memory": 1024,
                "template": "debian-12",
                "network_interfaces": [{"network": "VM Network"}],
                "firmware": "uefi",
                "user_data": "#cloud-config\npackages: [nginx]\n",
                "hostname": "web-1",
                "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample admin@example.com"],
            },
            storage="shared-1",
            network="VM Network",
            iso="debian-12.iso",
            interface={"ratelimit": 100_000_000},
            clone={"hostname": "web-2"},
        )
        tell(recorder, surroundings, booted=lambda _guest: None)
    assert plugin.examples is not None
    compare(recorder, plugin.examples)


def test_it_loads_without_the_sdk_and_says_what_to_install(vcenter: Host) -> None:
    message = error_without_sdk("simplestack_vmware", "pyVmomi", connecting_to(vcenter.server.port))
    assert "pip install pyvmomi" in message
    assert vcenter.calls() == {}


def test_loading_it_does_not_import_the_sdk() -> None:
    assert not imports_sdk("simplestack_vmware", "pyVmomi")


def test_the_service_shows_the_pool_and_ends_its_sessions(vcenter: Host, tmp_path: Path) -> None:
    with running_service(tmp_path, f"[server]\nworkers = 1\n{vcenter.toml}") as service:
        headers = {"X-Simplestack-Hypervisor-Token": token(vcenter.user, PASSWORD)}
        for _ in range(3):
            answer = service.get(f"/vmware/{vcenter.name}", headers=headers)
            assert (answer.status, answer.json["software_info"]["version"]) == (200, "8.0.3")
        assert vcenter.calls()["Login"] == 1
        assert service.stop() == 0
    assert vcenter.simulator.sessions.all() == []
