"""What there is to run in this repository. `python3 bootstrap.py` sets nox up; CONTRIBUTING.md explains.

Each distribution is a folder `simplestack-NAME` with a pyproject.toml: a new one needs no change here.
"""

import os
import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "virtualenv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "types", "docs", "packages", "tests"]

# Hundreds of processes of the tests import the same modules: without bytecode, each compiles them anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

ROOT = Path(__file__).resolve().parent
CORE = "simplestack-core"
#: Core first: the others need it, and it is on no index that pip could take it from.
DISTRIBUTIONS = [
    CORE,
    *sorted(
        path.parent.name for path in ROOT.glob("simplestack-*/pyproject.toml") if path.parent.name != CORE
    ),
]
EXAMPLES = sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("examples/*/pyproject.toml"))
TEST_REQUIREMENTS = ("--requirement", "tests/requirements.txt")
DOCS_REQUIREMENTS = ("--requirement", "docs/requirements.txt")
#: Formatting and findings change between minor releases.
RUFF = "ruff>=0.17.6,<0.18"
IMPORT_LINTER = "import-linter>=2.17,<3"
MYPY = "mypy>=2.4,<2.5"
STUBS = (
    "types-gunicorn>=26,<27",
    "types-docutils>=0.22,<0.24",
    "types-psutil>=7,<8",
    "types-jsonschema>=4,<5",
)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, formatting, and which package imports which."""
    session.install(RUFF, IMPORT_LINTER)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    # It reads the sources, and imports none of them.
    session.run("lint-imports", "--no-cache", env={"PYTHONPATH": os.pathsep.join(_sources())})


@nox.session
def types(session: nox.Session) -> None:
    """Check types, strictly: the sources, the examples, the tests."""
    session.install("--no-compile", MYPY, *STUBS, *DOCS_REQUIREMENTS, *TEST_REQUIREMENTS, *_editable())
    session.run("mypy", *_sources())
    session.run("mypy", "docs/_extensions", "docs/conf.py")
    session.run("mypy", "tests", "--exclude", "consumer/misuse.py")  # which shall have errors
    session.run("mypy", "bootstrap.py")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation site into docs/_build/html, and check it. A warning is an error."""
    session.install("--requirement", "tests/docs/requirements.txt", f"--editable=./{CORE}")
    # No page needs the SDK of a hypervisor, and libvirt-python would have to be compiled.
    session.install("--no-deps", *_editable())
    output = "docs/_build/html"
    shutil.rmtree(ROOT / output, ignore_errors=True)
    # Pages come out of the sources, which Sphinx does not watch: every build is a whole one.
    session.run("sphinx-build", "--fresh-env", "--fail-on-warning", "--keep-going", "--quiet", "docs", output)
    session.run("pytest", "tests/docs", *session.posargs)
    session.log(f"file://{ROOT}/{output}/index.html")


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests side by side. Arguments after `--` go to pytest, which then runs them one by one.

    SIMPLESTACK_REQUIRE=all forbids skipping.
    """
    session.install(*TEST_REQUIREMENTS, *_editable())
    # Tests wait for guests and services a third of their time. A file's tests share what they need, such as a
    # libvirtd: they run one after the other.
    processes = f"--numprocesses={(os.cpu_count() or 1) + 1}"
    all_of_them = (processes, "--dist=loadfile", "--no-loadscope-reorder", "--durations=20")
    session.run("pytest", *(session.posargs or all_of_them))


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Measure. No part of continuous integration: other work on the machine disturbs it."""
    session.install(*TEST_REQUIREMENTS, *_editable())
    session.run("python", "-m", "benchmarks", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def soak(session: nox.Session) -> None:
    """Run the service under load and faults for 20 minutes. No part of continuous integration."""
    session.install(*TEST_REQUIREMENTS, *_editable())
    session.run("python", "-m", "benchmarks.soak", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def break_it(session: nox.Session) -> None:
    """Try to break a service, point by point, with the mock's rate beside it. No part of CI."""
    session.install(*TEST_REQUIREMENTS, *_editable())
    session.run("python", "-m", "benchmarks.break_it", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def stopped_libvirtd(session: nox.Session) -> None:
    """Stop a libvirtd under its clients and see whether the service survives. No part of CI."""
    session.install(*TEST_REQUIREMENTS, *_editable())
    session.run("python", "-m", "benchmarks.stopped_libvirtd", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def mutation(session: nox.Session) -> None:
    """Make small defects in core and see whether tests notice. No part of continuous integration."""
    session.install(*TEST_REQUIREMENTS, *_editable())
    session.run("python", "-m", "mutation", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def serve(session: nox.Session) -> None:
    """Run the service with the embedded mock hypervisor. Arguments after `--` go to `simplestack serve`."""
    session.install(f"--editable=./{CORE}")
    if not {"--help", "-h"} & set(session.posargs):
        _print_first_steps(_bind_address(session.posargs))
    executable = shutil.which("simplestack", path=session.bin)
    if executable is None:
        session.error(f"{CORE} was installed without its `simplestack` command")
    # The service takes the place of nox, so that Ctrl-C and SIGTERM reach it and nobody else.
    sys.stdout.flush()
    os.execve(executable, [executable, "serve", *session.posargs], {**os.environ, **_path(session)})


@nox.session
def packages(session: nox.Session) -> None:
    """Build what is released into dist/, check it, install it as its users will and see it work."""
    session.install(MYPY, "--requirement", "tests/packages/requirements.txt")
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    for name in DISTRIBUTIONS:
        session.run("python", "-m", "build", "--no-isolation", "--outdir=dist", name, silent=True)
    # The environments that it makes take the place of those of the last run.
    temporary = f"--basetemp={session.create_tmp()}"
    groups = () if session.posargs else ("--numprocesses=2", "--dist=loadgroup")
    session.run("pytest", "tests/packages", temporary, *groups, *session.posargs)


def _sources() -> list[str]:
    return [f"{name}/src" for name in (*DISTRIBUTIONS, *EXAMPLES)]


def _editable() -> list[str]:
    """Options that install all distributions from their sources, in one go so that core is found."""
    return [f"--editable=./{name}" for name in DISTRIBUTIONS]


def _path(session: nox.Session) -> dict[str, str]:
    return {"PATH": os.pathsep.join([session.bin, os.environ.get("PATH", os.defpath)])}


def _bind_address(arguments: list[str]) -> str:
    for position, argument in enumerate(arguments):
        if argument.startswith("--bind="):
            return argument.removeprefix("--bind=")
        if argument == "--bind" and position + 1 < len(arguments):
            return arguments[position + 1]
    return "127.0.0.1:8081"


def _print_first_steps(address: str) -> None:
    print(  # noqa: T201  the terminal is where the operator looks
        f"""
Try, in another terminal ("ZGVtbzpkZW1v" is base64 of "demo:demo"; the mock hypervisor takes any user):

    curl -H 'X-Simplestack-Hypervisor-Token: ZGVtbzpkZW1v' http://{address}/mock/demo/guests
    curl http://{address}/
    http://{address}/docs in a browser

The README goes on from here. Ctrl-C stops the service.
"""
    )
