"""The kit on the mock, as a plugin's author runs it."""

from pathlib import Path

from simplestack.operations.table import OPERATIONS
from support.conformance import run_kit

MOCK = (
    *("--hypervisor", "mock", "--host", "kit", "--any-password"),
    *("--image", "debian-12.img", "--iso", "virtio-win.iso", "--trunk", "Pool network"),
)


def test_the_mock_passes_the_kit_with_no_skip_and_every_operation_in_the_table(tmp_path: Path) -> None:
    done = run_kit(tmp_path, *MOCK)
    assert done.status == 0, done.output
    assert done.skips == []
    assert " skipped" not in done.output
    assert list(done.table) == [operation.name for operation in OPERATIONS]
    assert done.not_passed == {}
    assert "the target is as before" in done.output
