"""The rules of CONTRIBUTING.md that a machine can hold the sources to."""

import re
import statistics
import tomllib
from pathlib import Path

import pytest

from project.repository import ROOT, distributions, examples, project_files

LONGEST_MODULE_LINES = 400
LONGEST_MEDIAN_LINES = 125
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "base", "common", "misc"}
BARE_IGNORE = re.compile(r"#\s*(noqa(:\s*[A-Z]+[0-9]+(,\s*[A-Z]+[0-9]+)*)?|type:\s*ignore(\[[^]]*\])?)\s*$")


def modules() -> list[Path]:
    return list(project_files(".py"))


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("module", modules(), ids=named)
def test_a_module_is_short_enough_to_be_read_at_once(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= LONGEST_MODULE_LINES


def test_most_modules_of_the_sources_are_short() -> None:
    lengths = [
        len(module.read_text().splitlines())
        for module in modules()
        if "src" in module.parts and module.name != "__init__.py"
    ]
    assert statistics.median(lengths) <= LONGEST_MEDIAN_LINES


def test_no_module_is_named_after_nothing() -> None:
    assert [named(module) for module in modules() if module.stem in VAGUE_NAMES] == []


def test_every_ignore_says_why() -> None:
    bare = [
        f"{named(module)}:{number}"
        for module in modules()
        for number, line in enumerate(module.read_text().splitlines(), 1)
        if BARE_IGNORE.search(line)
    ]
    assert bare == []


def package_of(distribution: Path) -> str:
    return distribution.name.replace("-", "_").removesuffix("_core")


@pytest.mark.parametrize("distribution", [*distributions(), *examples()], ids=named)
def test_a_distribution_is_typed_and_has_a_readme_and_a_changelog(distribution: Path) -> None:
    package = package_of(distribution)
    assert (distribution / "src" / package / "py.typed").is_file()
    assert f"# {distribution.name}\n" in (distribution / "README.md").read_text()
    assert f"# Changelog of {distribution.name}\n" in (distribution / "CHANGELOG.md").read_text()


def test_the_changelog_leads_to_that_of_every_distribution() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text()
    named_there = set(re.findall(r"\(([\w-]+)/CHANGELOG\.md\)", changelog))
    assert named_there == {distribution.name for distribution in distributions()} != set()


def test_the_contracts_on_imports_cover_every_distribution() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    packages = {package_of(distribution) for distribution in (*distributions(), *examples())}
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    assert set(linter["root_packages"]) == packages
    assert set(contracts["No modules or packages import each other"]["ancestors"]) == packages
    core_alone = contracts["Core imports no plugin distribution"]
    assert set(core_alone["forbidden_modules"]) == packages - {"simplestack"}
    plugins = contracts["Plugins and examples import `simplestack` and nothing below it"]
    assert set(plugins["source_modules"]) == packages - {"simplestack"}


@pytest.mark.parametrize(("package", "title"), [("mock", "The mock"), ("fault_injection", "Fault injection")])
def test_the_contract_of_a_plugin_in_core_forbids_every_other_package_of_core(
    package: str, title: str
) -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    layers = contracts["The packages of core import only those below them"]["layers"]
    packages = {name for layer in layers for name in layer.split(" | ")} - {"__main__", package}
    plugin = contracts[f"{title} imports `simplestack` and nothing below it, as any plugin"]
    assert set(plugin["forbidden_modules"]) == {f"simplestack.{name}" for name in packages}


#: Modules on top of a plugin's package, and the further modules that its hooks for guests may have.
TOP_MODULES = {"__init__", "entities", "errors", "session", "settings"}
MORE_HOOK_MODULES = {"guests_create", "guests_export", "guests_import", "guests_update"}


MOCK = ROOT / "simplestack-core/src/simplestack/mock"


def plugin_packages() -> list[Path]:
    plugins = [path / "src" / package_of(path) for path in distributions()]
    return [MOCK, *(path for path in plugins if path.name != "simplestack")]


def import_name(package: Path) -> str:
    return "simplestack.mock" if package == MOCK else package.name


def stems(folder: Path) -> set[str]:
    return {module.stem for module in folder.glob("*.py")}


@pytest.mark.parametrize("package", plugin_packages(), ids=lambda package: package.name)
def test_plugins_have_the_same_modules_side_by_side(package: Path) -> None:
    entities = stems(ROOT / "simplestack-core/src/simplestack/hookspecs") - {"services"}
    assert stems(package) == TOP_MODULES
    assert stems(package / "hooks") - entities - MORE_HOOK_MODULES == set() != stems(package / "hooks")


@pytest.mark.parametrize("package", plugin_packages(), ids=lambda package: package.name)
def test_the_contracts_on_imports_hold_the_rooms_of_every_plugin(package: Path) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    name = import_name(package)
    (layers,) = [contract["layers"] for contract in contracts if contract.get("containers") == [name]]
    rooms = {name for layer in layers for name in layer.split(" | ")}
    assert layers[0] == "hooks"
    folders = {path.name for path in package.iterdir() if (path / "__init__.py").is_file()}
    assert rooms == folders | (TOP_MODULES - {"__init__"})
    (independent,) = [contract for contract in contracts if contract["type"] == "independence"]
    assert f"{name}.hooks.*" in independent["modules"]
