"""The plugin as core loads it, and its examples."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from simplestack.operations.table import OPERATIONS
from simplestack.plugins.hypervisor import make_hypervisor
from simplestack_xen import plugin
from support.examples import Recorder, Surroundings, compare, tell
from support.loading import connecting_to, error_without_sdk, imports_sdk
from support.service import running_service, token
from support.xapi import PASSWORD, USER, Pool


def test_the_entry_point_is_the_plugin() -> None:
    (found,) = entry_points(group="simplestack.hypervisors", name="xen")
    assert found.load() is plugin


def test_it_implements_every_operation() -> None:
    hypervisor = make_hypervisor(plugin, "simplestack-xen", "0")
    assert list(hypervisor.operations) == [operation.name for operation in OPERATIONS]


def test_the_examples_are_what_it_answers(pool: Pool, tmp_path: Path) -> None:
    with running_service(tmp_path, pool.toml) as service:
        service.default_headers["X-Simplestack-Hypervisor-Token"] = token(USER, PASSWORD)
        operations = frozenset(operation.name for operation in OPERATIONS)
        replacements = {"127.0.0.1": "10.20.0.7", "XAPI simulator": "XCP-ng"}
        recorder = Recorder(service, f"/xen/{pool.host}", operations, replacements)
        surroundings = Surroundings(
            create={
                "memory": 1024,
                "template": "Debian Bookworm 12",
                "network_interfaces": [{"network": "Pool-wide network 0"}],
                "firmware": "uefi",
                "user_data": "#cloud-config\npackages: [nginx]\n",
                "hostname": "web-1",
                "ssh_keys": ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIExample admin@example.com"],
            },
            storage="Local storage",
            network="Pool-wide network 0",
            iso="debian.iso",
            clone={"hostname": "web-2"},
        )
        tell(recorder, surroundings, booted=lambda _guest: None)
    assert plugin.examples is not None
    compare(recorder, plugin.examples)


@pytest.mark.parametrize(
    "body", [{"memory": {"memory_tarket": 1}}, {"cpus": {}, "x": 1}, {"vcpu_settings": {"a": 1}}]
)
def test_members_of_xens_own_are_checked_like_all_others(pool: Pool, tmp_path: Path, body: object) -> None:
    with running_service(tmp_path, pool.toml) as service:
        headers = {"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
        answer = service.put(f"/xen/{pool.host}/guests/{pool.vm()['uuid']}", body, headers=headers)
        assert (answer.status, answer.error) == (400, "InvalidArguments")
        assert sum(pool.simulator.counts.values()) == 0


def test_it_loads_without_the_sdk_and_says_what_to_install(pool: Pool) -> None:
    message = error_without_sdk("simplestack_xen", "XenAPI", connecting_to(pool.server.port))
    assert "pip install XenAPI" in message
    assert sum(pool.simulator.counts.values()) == 0


def test_loading_it_does_not_import_the_sdk() -> None:
    assert not imports_sdk("simplestack_xen", "XenAPI")
