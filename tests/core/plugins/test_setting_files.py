"""Files that the settings of plugins name."""

from pathlib import Path

import pytest

from simplestack import AbsolutePath, HypervisorSettings, PrivateFile, ReadableFile
from simplestack.plugins.setting_files import check_files


class _Settings(HypervisorSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    ca_file: ReadableFile | None = None
    key: PrivateFile | None = None
    socket: AbsolutePath = "/nowhere/socket"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that everybody can read."""
    path = tmp_path / "file.pem"
    path.touch()
    path.chmod(0o644)
    return path


def test_files_that_the_plugin_reads_must_be_there(tmp_path: Path) -> None:
    settings = _Settings(ca_file=f"{tmp_path}/a", key=str(tmp_path))
    assert check_files(settings, "hypervisors.own") == (
        [
            f"hypervisors.own.ca_file: cannot read {tmp_path}/a: No such file or directory",
            f"hypervisors.own.key: cannot read {tmp_path}: Is a directory",
        ],
        [],
    )


def test_other_paths_and_settings_that_are_not_set_are_not_tried() -> None:
    assert check_files(_Settings(), "hypervisors.own") == ([], [])


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_private_file_that_everybody_can_read_is_a_warning(file: Path, mode: int, is_open: bool) -> None:
    file.chmod(mode)
    warning = f"hypervisors.own.key: every user of this machine can read {file}: use `chmod 600`"
    assert check_files(_Settings(key=str(file)), "hypervisors.own") == ([], [warning] if is_open else [])
    assert check_files(_Settings(ca_file=str(file)), "hypervisors.own") == ([], [])


def test_the_settings_of_a_host_are_checked_where_they_differ(file: Path) -> None:
    general = _Settings(ca_file="/nowhere/a", key=str(file))
    assert check_files(general, "x", general) == ([], [])
    own = _Settings(ca_file="/nowhere/b", key=str(file))
    assert check_files(own, "x", general).problems == [
        "x.ca_file: cannot read /nowhere/b: No such file or directory"
    ]
