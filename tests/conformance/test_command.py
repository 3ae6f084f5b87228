"""``simplestack conformance``: the kit for those who do not know pytest."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from project.repository import code_blocks
from simplestack.conformance.command_line import HYPERVISOR, OPTIONS
from support.conformance import KitRun, run_command

TARGET = (
    *("mock", "--host", "kit", "--any-password"),
    *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
)


def python(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)


def test_the_kit_runs_with_the_options_of_the_command_and_those_of_pytest(tmp_path: Path) -> None:
    done = run_command(tmp_path, *TARGET, "--", "-k", "test_tags.py", "--verbose")
    assert done.status == 0, done.output
    assert "tag_list" in done.table.keys() - done.not_passed.keys()
    assert done.table["disk_list"] == ("not run", "not run")
    assert "test_tags.py::" in done.output
    assert "the target is as before" in done.output


@pytest.mark.parametrize(
    ("way", "results"), [("stack", ("2 passed", "not run")), ("http", ("not run", "2 passed"))]
)
def test_the_tests_of_one_way_run_alone(tmp_path: Path, way: str, results: tuple[str, str]) -> None:
    done = run_command(tmp_path, *TARGET, "--way", way, "--", "-k", "test_hosts.py")
    assert done.status == 0, done.output
    assert done.table["host_list"] == results


def test_nothing_is_imported_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / "iniconfig.py").write_text("raise AssertionError('pytest imported this')")
    assert run_command(tmp_path, *TARGET, "--", "-k", "test_pools.py").status == 0


def test_the_example_of_the_page_prints_what_the_page_shows(tmp_path: Path) -> None:
    command = code_blocks("docs/conformance.md", "sh")[0].partition("\n")[2]
    program, subcommand, *arguments = shlex.split(command.replace("\\\n", ""))
    assert (program, subcommand) == ("simplestack", "conformance")
    done = run_command(tmp_path, *arguments, "--", "-k", "test_pools.py or test_hosts.py")
    assert done.status == 0, done.output
    (shown,) = code_blocks("docs/conformance.md", "text")
    assert list(KitRun(0, shown).table) == ["pool_info", "host_list"]
    assert KitRun(0, shown).table.items() <= done.table.items()


def test_the_exit_status_is_that_of_pytest(tmp_path: Path) -> None:
    done = run_command(tmp_path, *TARGET, "--", "-k", "no_such_test")
    assert done.status == pytest.ExitCode.NO_TESTS_COLLECTED
    strict = tuple(word for word in TARGET if word != "--any-password")
    done = run_command(tmp_path, *strict, "--", "-k", "test_a_wrong_password")
    assert done.status == pytest.ExitCode.TESTS_FAILED
    assert "must fail with Unauthorized" in done.output


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    done = run_command(tmp_path, "hyperv", "--host", "kit")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "hyperv" in done.output
    assert "Traceback" not in done.output


def test_a_value_that_looks_like_an_option_is_a_value(tmp_path: Path) -> None:
    done = run_command(tmp_path, *TARGET, "--password=-x", "--storage=--help", "--", "--collect-only", "-q")
    assert "test_tags.py::" in done.output
    assert "usage:" not in done.output


def test_options_that_are_missing_are_named_without_a_traceback(tmp_path: Path) -> None:
    done = run_command(tmp_path, "mock")
    assert done.status == 2
    assert "Missing option '--host'" in done.output
    done = run_command(tmp_path, "mock", "--host", "kit")
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert "--iso: mock implements media_mount" in done.output


def test_the_help_has_every_option_and_says_where_those_of_pytest_go(tmp_path: Path) -> None:
    done = run_command(tmp_path, "--help")
    assert done.status == 0
    assert "NAME [-- PYTEST_ARGUMENT...]" in done.output
    assert {option.name for option in OPTIONS if option.name not in done.output} == {HYPERVISOR.name}
    assert "SIMPLESTACK_KIT_PASSWORD" in done.output
    assert "[required]" in done.output


@pytest.mark.parametrize("missing", ["pytest", "urllib3"])
def test_what_is_not_installed_is_named_with_the_command_that_adds_it(missing: str) -> None:
    done = python(
        f"import sys; sys.modules['{missing}'] = None; from simplestack.cli.main import main; "
        "main(['conformance', 'mock', '--host', 'kit'])"
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: the conformance kit needs {missing}: "
        f"install it with `{sys.executable} -m pip install pytest urllib3`\n"
    )


def test_the_other_commands_start_without_pytest() -> None:
    done = python("import sys, simplestack.cli.main; print({'pytest', 'urllib3'} & {*sys.modules})")
    assert done.stdout == "set()\n"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--vlans=7", "--vlans: '7' is not a range of VLAN tags: use FIRST-LAST, for example 3900-3999"),
        ("--vlans=9-4095", "--vlans: '9-4095' is not a range of VLAN tags: use FIRST-LAST, for"),
        ("--memory=0", "--memory: '0' is not a number above 0"),
        ("--memory=0.5", "--memory: '0.5' is not a whole number above 0"),
        ("--patience=inf", "--patience: 'inf' is not a number above 0"),
        ("--patience=long", "--patience: 'long' is not a number above 0"),
        ("--way=soap", "--way: 'soap' is not one of stack, http"),
        ("--config=absent.toml", "absent.toml is not a file"),
    ],
)
def test_a_wrong_value_is_named_with_what_is_accepted(tmp_path: Path, option: str, message: str) -> None:
    done = run_command(tmp_path, *TARGET, option)
    assert done.status == pytest.ExitCode.USAGE_ERROR
    assert message in done.output
    assert "Traceback" not in done.output
