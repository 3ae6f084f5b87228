"""The mutation tests: they make defects, see which of them tests notice, and keep a record."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mutation.equivalents import EQUIVALENTS
from mutation.modules import MODULES, NOT_RECORDED, paths_of_tests, source_of
from mutation.mutants import mutants_of
from mutation.record import GOAL, Record, Score, read_record, share, sunk
from project.repository import ROOT


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mutation", *arguments],
        env={"PYTHONPATH": str(ROOT / "tests")},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def names_of(source: str) -> list[str]:
    return [mutant.name for mutant in mutants_of(source)[1]]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(x):\n    '''Text.'''\n    g(x)", ["f: g(x) -> deleted"]),
        ("def f(self):\n    self.x -= 1", [
            "f: self.x -= 1 -> deleted", "f: self.x -= 1: Sub -> Add", "f: self.x -= 1: 1 -> 2",
        ]),
        ("if x:\n    pass", ["module: if x -> if True", "module: if x -> if False"]),
        ("x = a and b", ["module: x = a and b: a and b -> b", "module: x = a and b: a and b -> a"]),
        ("x = a if b else c", [
            "module: x = a if b else c: a if b else c -> a", "module: x = a if b else c: a if b else c -> c",
        ]),
        ("def f():\n    return a < b", [
            "f: return a < b -> return True", "f: return a < b -> return False", "f: return a < b: Lt -> LtE",
        ]),
        ("def f():\n    return g()", ["f: return g() -> return None"]),
        ("x = [y for y in z if y]", ["module: x = [y for y in z if y]: items with y -> all items"]),
        ("x = min(a, b)", ["module: x = min(a, b): min(a, b) -> a", "module: x = min(a, b): min(a, b) -> b"]),
        ("def f():\n    x = 'a'\n    x = y", [
            "f: x = 'a' -> deleted", "f: x = 'a': 'a' -> 'aXX'", "f: x = y -> deleted",
        ]),
        ("try:\n    pass\nexcept BaseException:\n    raise", [
            "module: except BaseException -> except Exception", "module: raise -> deleted",
        ]),
    ],
)  # fmt: skip
def test_a_mutant_differs_in_one_place(source: str, names: list[str]) -> None:
    assert names_of(source) == names


@pytest.mark.parametrize(
    "source",
    [
        "'''Text.'''",
        "_log.warning('%s', 1 + 2)",
        "x = 'a message'",
        "x = f'{a} of {b}({c:g})'",
        "_log = 'simplestack.sessions'",
        "x: 'Text' = y",
        "__slots__ = ('a',)",
        "T = TypeVar('T', bound='Text')",
        "@dataclass(frozen=True)\nclass A:\n    pass",
    ],
)
def test_what_people_alone_read_has_no_mutants(source: str) -> None:
    assert names_of(source) == []


def test_a_run_says_which_mutants_no_test_noticed() -> None:
    done = run("failed_logins", "--only", "FailedLogins.remember", "--processes", "2")
    assert done.returncode == 0, done.stderr
    survivors = re.findall(r"^survived: .*FailedLogins\.remember: ", done.stdout, re.MULTILINE)
    row = re.search(r"^\| simplestack.sessions.failed_logins \| (\d+) \| (\d+) ", done.stdout, re.MULTILINE)
    assert row is not None, done.stdout
    mutants, killed = map(int, row.groups())
    assert mutants - killed == len(survivors)
    assert killed > 0


OUTCOMES = """
import ast, sys
from pathlib import Path
from mutation.trial import Trial, run_trials

def fail():
    raise ValueError("no such place")

folder = Path(sys.argv[1])
for name, trial in {
    "passes": {"text": "def test(): pass"},
    "fails": {"text": "def test(): assert False"},
    "import": {"text": "import nothing_of_this_name"},
    "none": {"text": ""},
    "usage": {"text": None},
    "apply": {"text": "def test(): pass", "apply": fail, "tree": ast.parse("")},
}.items():
    path, text = folder / f"test_{name}.py", trial.pop("text")
    if text is not None:
        path.write_text(text)
    (done,) = run_trials([Trial(tests=[path], **trial)], 1, folder)
    print(name, done.passed, done.failed, done.hung, done.is_broken)
"""


def test_a_trial_that_ends_in_another_way_than_by_its_tests_says_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OUTCOMES, str(tmp_path)],
        env={"PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    outcomes = dict(line.split(" ", 1) for line in done.stdout.splitlines())
    survived, killed, broken = "True False False False", "False True False False", "False False False True"
    assert outcomes == {
        "passes": survived,
        "fails": killed,
        "import": killed,
        "none": broken,
        "usage": broken,
        "apply": broken,
    }


def test_a_module_that_has_no_mutants_is_answered_with_those_that_have() -> None:
    done = run("token")
    assert done.returncode == 2
    assert "no module token; there are: pool, slots, logouts" in done.stderr


def test_a_score_below_the_record_is_told_with_the_new_survivors() -> None:
    before = Record(modules={"a": Score(mutants=4, killed=3, hung=0, survivors=["old"])})
    found = Record(modules={"a": Score(mutants=4, killed=2, hung=0, survivors=["old", "new"])})
    assert sunk(before, found) == ["a: 50.0% is less than 75.0% in the record", "  new survivor: new"]
    assert sunk(found, before) == sunk(before, before) == []


def test_modules_have_different_short_names() -> None:
    assert len({module.rpartition(".")[2] for module in MODULES}) == len(MODULES)


@pytest.mark.parametrize("package", ["appliances", "dispatch", "https", "identity", "sessions"])
def test_a_new_module_of_a_package_is_mutated(package: str) -> None:
    found = (source_of(f"simplestack.{package}.any").parent).glob("*.py")
    names = {f"simplestack.{package}.{path.stem}" for path in found} - {f"simplestack.{package}.__init__"}
    assert names - set(MODULES) == set(), "name them and their tests in `mutation.modules`"


def test_the_tests_of_each_module_exist() -> None:
    assert [path for module in MODULES for path in paths_of_tests(module) if not path.exists()] == []


def test_what_is_left_out_of_the_score_are_mutants_that_exist() -> None:
    for module, reasons in EQUIVALENTS.items():
        names = {mutant.name for mutant in mutants_of(source_of(module).read_text())[1]}
        assert set(reasons) - names == set(), "the source has changed: are they still equivalent?"


def test_the_record_is_of_every_module_and_reaches_the_goal() -> None:
    record = read_record()
    assert set(record.modules) == set(MODULES) - NOT_RECORDED, "`nox -s mutation -- --record` writes it"
    assert share(*record.modules.values()) >= GOAL
