"""The conformance kit is loaded by those who ask for it, and by nobody else's pytest."""

from importlib.metadata import entry_points
from pathlib import Path

import pytest

from support.conformance import run_kit, run_pytest

TARGET = (
    *("--hypervisor", "mock", "--host", "kit", "--any-password"),
    *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
)


def test_a_pytest_run_of_others_imports_nothing_of_simplestack(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "def pytest_addoption(parser):\n"
        "    parser.addoption('--host')\n"
        "    parser.addoption('--hypervisor')\n"
    )
    (tmp_path / "test_others.py").write_text(
        "import sys\n\n"
        "def test_imports(pytestconfig):\n"
        "    assert pytestconfig.getoption('--host') == 'theirs'\n"
        "    assert [name for name in sys.modules if 'simplestack' in name] == []\n"
    )
    done = run_pytest(tmp_path, "--host", "theirs", "--hypervisor", "theirs")
    assert "1 passed" in done.output
    assert done.status == 0


def test_no_distribution_adds_itself_to_every_pytest_run() -> None:
    assert [found.value for found in entry_points(group="pytest11") if "simplestack" in found.value] == []


def test_without_a_path_the_kit_runs_and_not_the_tests_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "test_own.py").write_text("def test_own(): raise AssertionError\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\naddopts = --strict-markers\n")
    done = run_kit(tmp_path, *TARGET, "-k", "test_own or test_tags.py")
    assert done.status == 0, done.output
    assert "test_own" not in done.output
    assert "tag_list" in done.table.keys() - done.not_passed.keys()


def test_modules_of_the_kit_can_be_named(tmp_path: Path) -> None:
    done = run_kit(tmp_path, *TARGET, "--pyargs", "simplestack.conformance.test_tags", "-q")
    assert done.status == 0, done.output
    assert "tag_list" in done.table.keys() - done.not_passed.keys()
    assert done.table["disk_list"] == ("not run", "not run")


@pytest.mark.parametrize("target", [(), ("--hypervisor", "mock"), ("--host", "kit")])
def test_a_run_without_a_target_says_what_to_type(tmp_path: Path, target: tuple[str, ...]) -> None:
    done = run_kit(tmp_path, *target)
    assert done.status == 4
    assert "pytest -p simplestack.conformance --hypervisor NAME --host HOST" in done.output


def test_the_tests_of_the_kit_without_its_plugin_say_what_to_type(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "--pyargs", "simplestack.conformance", "--strict-markers")
    assert done.status == 4
    assert "pytest -p simplestack.conformance --hypervisor NAME --host HOST" in done.output
    assert "Traceback" not in done.output


def test_the_help_of_pytest_has_the_options_of_the_kit(tmp_path: Path) -> None:
    done = run_kit(tmp_path, "--help")
    assert done.status == 0
    for option in ("--hypervisor=NAME", "--password-file=FILE", "--any-password"):
        assert option in done.output


def test_the_kit_runs_beside_the_other_plugins_of_pytest(tmp_path: Path) -> None:
    environment = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": ""}  # tests of the kit load it alone
    done = run_kit(tmp_path, *TARGET, "-k", "test_tags.py", environment=environment)
    assert done.status == 0, done.output
