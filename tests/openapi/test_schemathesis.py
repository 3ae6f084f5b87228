"""Thousands of requests that schemathesis makes from the document, good and bad, to the mock hypervisor.

It checks that no answer is a defect, or has a status, header, label or body that the document does not have;
that what fits the schema is taken, and what does not is refused; that what was made can be read, and what was
deleted cannot.
"""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from support.service import running_service, token

_CONFIG = Path(__file__).with_name("schemathesis.toml")
_COUNTS = re.compile(r"(?P<generated>\d+) generated, (?P<passed>\d+) passed")


def test_no_request_gets_an_answer_that_the_document_does_not_have(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    with running_service(tmp_path) as service:
        attack = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_CONFIG), "run"),
                f"http://127.0.0.1:{service.port}/openapi.json?hypervisor=mock",
                *("--no-color", "--warnings", "off"),
                *("--header", f"X-Simplestack-Hypervisor-Token: {token()}"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert service.get("/healthz").status == 200
    assert attack.returncode == 0, attack.stdout + attack.stderr
    counts = _COUNTS.search(attack.stdout)
    assert counts, attack.stdout
    record_property("schemathesis", counts[0])
    assert int(counts["generated"]) > 1000
    assert " 500 " not in service.log
