"""The service starts without metrics where it cannot keep them."""

import os
import tempfile
from pathlib import Path

import prometheus_client  # before the folder exists, as an embedding program might
import pytest

from simplestack.server.metrics import folder

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
assert prometheus_client


def test_a_machine_without_a_folder_that_can_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folder, "_MEMORY", tmp_path / "missing")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    assert folder.metrics_folder.__wrapped__() is None
    assert "no metrics: cannot create a folder for them" in caplog.text
    assert VARIABLE not in os.environ


def test_a_process_that_has_imported_prometheus_client_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(folder, "_MEMORY", tmp_path)
    assert folder.metrics_folder.__wrapped__() is None
    assert "no metrics: prometheus_client was imported before" in caplog.text
    assert VARIABLE not in os.environ
    assert list(tmp_path.iterdir()) == []
