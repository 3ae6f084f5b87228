"""SDKs that are imported at their first use."""

import sys
import threading
from pathlib import Path

import pytest

from simplestack import HypervisorUnavailable, LazySdk
from simplestack.plugins.diagnosis import IMPL_MARK


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = f"sdk_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text("def connect(): return 'connected'\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return name


def test_nothing_is_imported_before_the_first_use(module: str) -> None:
    sdk = LazySdk(module, advice="-")
    assert not hasattr(sdk, IMPL_MARK)  # what pluggy looks for when it registers a hook module
    assert module not in sys.modules
    assert sdk.connect() == "connected"
    assert module in sys.modules


def test_a_module_that_is_missing_is_an_error_that_says_what_to_do() -> None:
    sdk = LazySdk("sdk_that_is_not_there", advice="run `pip install it` there")
    for _ in range(2):
        with pytest.raises(HypervisorUnavailable, match=r"runs this service: run `pip install it` there"):
            sdk.connect()


def test_an_error_for_clients_has_no_path_of_a_module_and_the_log_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    name = f"broken_{tmp_path.name}"
    (tmp_path / f"{name}.py").write_text(f"from {name} import nothing\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(HypervisorUnavailable) as raised:
        LazySdk(name, advice="reinstall it").connect()
    assert str(tmp_path) not in raised.value.message
    assert str(tmp_path) in caplog.text


def test_threads_that_meet_prepare_it_once_and_use_it_prepared(module: str) -> None:
    prepared: list[object] = []
    both = threading.Barrier(2, timeout=20)

    def prepare(sdk: object) -> None:
        prepared.append(sdk)
        threading.Event().wait(0.1)  # time for the other thread to come in, if nothing keeps it out

    sdk = LazySdk(module, advice="-", prepare=prepare)
    seen: list[int] = []

    def use() -> None:
        both.wait()
        sdk.connect()
        seen.append(len(prepared))

    threads = [threading.Thread(target=use) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert seen == [1, 1]
    assert len(prepared) == 1
