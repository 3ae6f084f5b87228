"""What type checkers see of the installed core: in a third party's plugin, and in a user's script."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from packages import interpreters
from packages.conftest import CORE, MakeEnvironment
from packages.environments import Environment, run

CONSUMER = Path(__file__).parent / "consumer"
MISUSE = "misuse.py"
#: What mypy and pyright call the mistake of a line.
MISTAKE = re.compile(r"  # ([a-z-]+) (report\w+)$")
#: What `Stack` makes of hookspecs.
OPERATION = re.compile(r"simplestack\.stack\.Stack\.\w+\Z")

#: Line and code of each finding, by file.
Findings = dict[str, set[tuple[int, str]]]


@pytest.fixture(scope="module")
def environment(environment_with: MakeEnvironment) -> Environment:
    """Core as it was installed from its wheel, on the oldest Python."""
    return environment_with(interpreters.found()[0], CORE)


@pytest.fixture
def consumer(tmp_path: Path) -> Path:
    """The consumer, away from the settings of this repository's own tools."""
    copy = shutil.copytree(CONSUMER, tmp_path / "consumer")
    (copy / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    return copy


def mypy(environment: Environment, folder: Path) -> Findings:
    command = [sys.executable, "-m", "mypy", "--strict", "--output=json", "--config-file="]
    done = run([*command, f"--python-executable={environment.python}", "."], folder, check=False)
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    found: Findings = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            finding = json.loads(line)
            found.setdefault(finding["file"], set()).add((finding["line"], finding["code"]))
    return found


def run_pyright(environment: Environment, folder: Path, *arguments: str) -> Any:
    """Run pyright, which looks at the packages of the first Python on the PATH."""
    path = os.pathsep.join([str(environment.folder / "bin"), os.environ["PATH"]])
    command = [sys.executable, "-m", "pyright", "--outputjson", *arguments]
    done = run(command, folder, check=False, environment={"PATH": path})
    assert done.returncode in {0, 1}, done.stdout + done.stderr
    return json.loads(done.stdout)


def pyright(environment: Environment, folder: Path) -> Findings:
    found: Findings = {}
    for finding in run_pyright(environment, folder)["generalDiagnostics"]:
        name = str(Path(finding["file"]).relative_to(folder))
        found.setdefault(name, set()).add((finding["range"]["start"]["line"] + 1, finding["rule"]))
    return found


def mistakes() -> list[tuple[int, str, str]]:
    """Return line and both names of each mistake that has to be reported."""
    lines = enumerate((CONSUMER / MISUSE).read_text().splitlines(), 1)
    return [(number, match[1], match[2]) for number, line in lines if (match := MISTAKE.search(line))]


def test_mypy_reports_the_mistakes_and_nothing_else(environment: Environment, consumer: Path) -> None:
    assert mypy(environment, consumer) == {MISUSE: {(line, code) for line, code, _ in mistakes()}}


def test_pyright_reports_the_mistakes_and_nothing_else(environment: Environment, consumer: Path) -> None:
    found = pyright(environment, consumer)
    expected = {(line, rule) for line, _, rule in mistakes()}
    assert found.keys() == {MISUSE}
    assert expected <= found[MISUSE]
    # What follows from a mistake, such as a type that is not known then, is reported on the same line.
    assert {line for line, _ in found[MISUSE]} == {line for line, _ in expected}


def test_the_script_that_was_checked_runs(environment: Environment, consumer: Path) -> None:
    state = {"XDG_STATE_HOME": str(consumer)}
    done = run([environment.python, "script.py"], consumer, environment=state)
    assert re.fullmatch(r"gone: Guest:\S+ not found\n", done.stdout), done.stdout


def test_all_public_types_are_known_and_written_down(environment: Environment, tmp_path: Path) -> None:
    program = (
        "import json, simplestack, simplestack.appliances\n"
        "modules = simplestack, simplestack.appliances\n"
        "found = [getattr(module, name) for module in modules for name in module.__all__]\n"
        "named = [f'{one.__module__}.{one.__qualname__}' for one in found if hasattr(one, '__qualname__')]\n"
        "print(json.dumps(named))"
    )
    public = tuple(f"{name}." for name in json.loads(environment.execute(program).stdout))
    report = run_pyright(environment, tmp_path, "--verifytypes", "simplestack", "--ignoreexternal")
    symbols = report["typeCompleteness"]["symbols"]
    seen = [symbol for symbol in symbols if f"{symbol['name']}.".startswith(public)]
    assert len(seen) > 300
    unknown = {symbol["name"] for symbol in seen if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]}
    # Operations are made of hookspecs by a call. A checker has to infer their types; the script above shows
    # that both infer the same.
    assert {name for name in unknown if not OPERATION.match(name)} <= {"simplestack.stack.Stack"}
