"""What was built, and environments to install it into, one of each kind for each Python."""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from packages import interpreters
from packages.environments import Environment, fill_wheelhouse, make_environment
from packages.interpreters import ROOT, Interpreter

DISTRIBUTIONS = sorted(path.parent.name for path in ROOT.glob("simplestack-*/pyproject.toml"))
CORE = "simplestack-core"
PLUGINS = [name for name in DISTRIBUTIONS if name != CORE]

MakeEnvironment = Callable[..., Environment]


def pytest_report_header() -> list[str]:
    found = interpreters.found()
    missing = sorted(set(interpreters.supported()) - {interpreter.minor for interpreter in found})
    lines = [f"Python {interpreter.version}: {interpreter.path}" for interpreter in found]
    return [*lines, *(f"Python {minor}: not on this machine, not tested" for minor in missing)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests of containers run beside all others, which share environments."""
    for item in items:
        group = "containers" if item.path.name == "test_container.py" else "environments"
        item.add_marker(pytest.mark.xdist_group(group))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "interpreter" in metafunc.fixturenames:
        found = interpreters.found()
        metafunc.parametrize(
            "interpreter", found, ids=[interpreter.minor for interpreter in found], scope="session"
        )


@pytest.fixture(scope="session")
def dist() -> Path:
    """The folder of what was built."""
    folder = ROOT / "dist"
    if len(list(folder.glob("*.whl"))) != len(DISTRIBUTIONS):
        pytest.fail(f"{folder} has not one wheel of each distribution: `nox -s packages` builds them")
    return folder


@pytest.fixture(scope="session")
def wheelhouses(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[Interpreter, Path]:
    """The wheels that each Python needs. Those that have to be compiled are, for several Pythons at once."""
    folder = tmp_path_factory.mktemp("wheelhouses")
    wheels = sorted(dist.glob("*.whl"))
    with ThreadPoolExecutor(2) as threads:
        filled = {
            interpreter: threads.submit(fill_wheelhouse, folder / interpreter.minor, interpreter, wheels)
            for interpreter in interpreters.found()
        }
        return {interpreter: future.result() for interpreter, future in filled.items()}


@pytest.fixture(scope="session")
def environment_with(
    wheelhouses: dict[Interpreter, Path], tmp_path_factory: pytest.TempPathFactory
) -> MakeEnvironment:
    """Return a function that makes an environment with distributions in it, once for each set of them."""
    folder = tmp_path_factory.mktemp("environments")

    @functools.cache
    def make(interpreter: Interpreter, *names: str) -> Environment:
        place = folder / "-".join([interpreter.minor, *names])
        environment = make_environment(place, interpreter, wheelhouses[interpreter])
        environment.install(*names)
        return environment

    return make


@pytest.fixture
def bare_environment(wheelhouses: dict[Interpreter, Path], tmp_path: Path) -> Environment:
    """An environment of a test's own, on the newest Python, with nothing in it."""
    newest = interpreters.found()[-1]
    return make_environment(tmp_path / "environment", newest, wheelhouses[newest])
