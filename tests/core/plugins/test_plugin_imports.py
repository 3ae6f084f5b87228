"""Importing plugins: whatever a plugin does then is its own load failure, and the others are used."""

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from simplestack.plugins.containment import PluginCode
from simplestack.plugins.errors import PluginFault
from support.distributions import describe, install
from support.listing import GOOD, failures, good, plugins_command
from support.service import running_service, wait_for

#: Source and the end of the reason, by the plugin's name. The first line of a source is line 5 of its module.
BROKEN = {
    "exits": (
        "sys.exit(3)",
        "importing plugin_exits:plugin failed: SystemExit: 3 (plugin_exits.py, line 5, in <module>)",
    ),
    "silent": ("raise SystemExit", "failed: SystemExit (plugin_silent.py, line 5, in <module>)"),
    "interrupts": (
        "raise KeyboardInterrupt",
        "failed: KeyboardInterrupt (plugin_interrupts.py, line 5, in <module>)",
    ),
    "leaves": ("raise GeneratorExit('x')", "GeneratorExit: x (plugin_leaves.py, line 5, in <module>)"),
    "own": (
        "class Odd(BaseException): ...\nraise Odd('text\\nof two lines')",
        "Odd: text of two lines (plugin_own.py, line 6, in <module>)",
    ),
    "unprintable": (
        "class Odd(Exception):\n    def __str__(self):\n        sys.exit(1)\nraise Odd",
        "Odd: its text cannot be shown: SystemExit (plugin_unprintable.py, line 8, in <module>)",
    ),
    "no-sdk": (
        "raise RuntimeError('no SDK here')",
        "failed: RuntimeError: no SDK here (plugin_no_sdk.py, line 5, in <module>)",
    ),
    "deep": (
        "import json\ndef read(): json.loads('{')\nread()",
        "line 1 column 2 (char 1) (plugin_deep.py, line 6, in read)",
    ),
    "sdk-missing": (
        "import nothing_of_this_name",
        (
            "No module named 'nothing_of_this_name' (plugin_sdk_missing.py, line 5, in <module>); "
            "`pip check` lists what simplestack-sdk-missing requires and is missing"
        ),
    ),
    "sdk-too-old": (
        "from json import nothing_of_this_name",
        (
            "(plugin_sdk_too_old.py, line 5, in <module>); "
            "`pip check` tells whether what the plugin requires is installed"
        ),
    ),
    "part-missing": (
        "import plugin_part_missing.hooks",
        "; simplestack-part-missing lacks this module: reinstall it, or tell its author",
    ),
    "syntax": (
        "def broken(:",
        "importing plugin_syntax:plugin failed: SyntaxError: invalid syntax (plugin_syntax.py, line 5)",
    ),
    "nameless": ("", "its entry point is 'plugin_nameless:plugin', but plugin_nameless has no 'plugin'"),
    "number": ("plugin = 42", "plugin_number:plugin is 42; expected a simplestack.HypervisorPlugin"),
}
#: Entry points that name nothing, and reasons.
ENTRY_POINTS = {
    "empty": (
        "",
        (
            "its entry point is ''; expected 'module:attribute', such as 'simplestack_example:plugin'. "
            "Correct simplestack-empty"
        ),
    ),
    "words": (
        "a b c",
        (
            "its entry point is 'a b c'; expected 'module:attribute', such as 'simplestack_example:plugin'. "
            "Correct simplestack-words"
        ),
    ),
    "absent": (
        "plugin_absent:plugin",
        (
            "importing plugin_absent:plugin failed: ModuleNotFoundError: No module named 'plugin_absent'; "
            "simplestack-absent lacks this module: reinstall it, or tell its author"
        ),
    ),
    "module": ("plugin_good", "plugin_good is module plugin_good; expected a simplestack.HypervisorPlugin"),
    "below": ("plugin_good:plugin.titel", "plugin_good.plugin has no 'titel'; did you mean 'title'?"),
}


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """What the command prints with all of them installed."""
    folder = tmp_path_factory.mktemp("broken")
    install(folder, "good", GOOD)
    for name, (source, _) in BROKEN.items():
        install(folder, name, source)
    for name, (value, _) in ENTRY_POINTS.items():
        describe(folder, f"simplestack-{name}", name, value)
    return plugins_command(folder)


@pytest.mark.parametrize("name", [*BROKEN, *ENTRY_POINTS])
def test_a_plugin_that_cannot_be_imported_is_named_with_the_reason(
    listing: subprocess.CompletedProcess[str], name: str
) -> None:
    _, reason = (BROKEN | ENTRY_POINTS)[name]
    found = failures(listing.stderr)[name]
    assert found.startswith(f"(simplestack-{name} 1.0): ")
    assert found.endswith(reason)


def test_the_others_are_used_and_the_exit_code_says_that_some_are_not(
    listing: subprocess.CompletedProcess[str],
) -> None:
    assert listing.returncode == 1
    assert "good       simplestack-good 1.0  Good" in listing.stdout
    assert set(failures(listing.stderr)) == {*BROKEN, *ENTRY_POINTS}


def test_metadata_that_cannot_be_read_is_its_distributions_failure(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    for name, text in (
        ("simplestack-broken", b"[simplestack.hypervisors]\nno value\n"),
        ("simplestack-binary", b"\xff\xfe[simplestack.hypervisors]\n"),
        ("bystander", b"[console_scripts]\nno value\n"),
    ):
        describe(plugins, name, "x", "x")
        (plugins / f"{name.replace('-', '_')}-1.0.dist-info" / "entry_points.txt").write_bytes(text)
    result = plugins_command(plugins)
    assert result.returncode == 1
    assert "good       simplestack-good 1.0  Good" in result.stdout
    found = failures(result.stderr)
    assert set(found) == {"simplestack-broken", "simplestack-binary"}
    for reason in found.values():
        assert "its metadata cannot be read: entry_points.txt: " in reason


def test_a_plugin_whose_distribution_says_neither_name_nor_version_is_used(plugins: Path) -> None:
    for name in ("good", "rogue"):
        install(plugins, name, GOOD)
        (plugins / f"simplestack_{name}-1.0.dist-info" / "METADATA").unlink()
    assert "good       ? ?  Good" in plugins_command(plugins).stdout


@pytest.mark.parametrize("command", [("check-config",), ("plugins",), ("openapi",)])
def test_no_command_ends_because_a_plugin_exits(plugins: Path, command: tuple[str]) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "exits", "sys.exit(0)")
    result = subprocess.run(
        [sys.executable, "-m", "simplestack", *command],
        env={"PYTHONPATH": str(plugins), "SIMPLESTACK_SERVER__BIND": "127.0.0.1:0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == (1 if command == ("plugins",) else 0)
    assert "good" in result.stdout


def test_the_service_starts_beside_a_plugin_that_exits(plugins: Path, tmp_path: Path) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "exits", "sys.exit(0)")
    with running_service(tmp_path / "service", plugins=plugins) as service:
        assert service.get("/good/host/guests").status == 200
        assert (
            "'exits' is installed but could not be loaded" in service.get("/exits/h/guests").json["message"]
        )
        assert "plugin 'exits' (simplestack-exits 1.0): importing plugin_exits:plugin failed" in service.log


HANGS = {
    "sleeping": "time.sleep(3600)",
    "looping": "while True: pass",
    "waiting": "import socket\na, b = socket.socketpair()\na.recv(1)",
    "locked": "threading.Event().wait()",
    "stubborn": "try: time.sleep(3600)\nexcept BaseException: pass\ntime.sleep(3600)",
}


def test_an_import_that_hangs_ends_at_the_time_limit_and_the_others_are_used(
    plugins: Path, tmp_path: Path
) -> None:
    config = tmp_path / "simplestack.toml"
    config.write_text("[server]\nplugin_timeout_seconds = 1")
    install(plugins, "good", GOOD)
    for name, source in HANGS.items():
        install(plugins, name, source)
    result = plugins_command(plugins, "--config", str(config))
    assert result.returncode == 1
    assert "good       simplestack-good 1.0  Good" in result.stdout
    lines = result.stderr.splitlines()
    for name in HANGS:
        (line,) = [line for line in lines if line.startswith(f"not loaded: plugin '{name}' ")]
        assert (
            f"importing plugin_{name}:plugin did not end within 1 s (stopped at plugin_{name}.py, line "
            in line
        )


#: Tells the test that the import has begun.
MARK = "import os, pathlib\nfolder = pathlib.Path(os.environ['FOLDER'])\n(folder / 'importing').touch()\n"


@contextlib.contextmanager
def running_command(folder: Path, config: str = "") -> Iterator[subprocess.Popen[str]]:
    """Run the command with the plugins of a folder; its errors are in the file ``errors`` there."""
    path = folder / "simplestack.toml"
    path.write_text(config)
    with (folder / "errors").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "simplestack", "plugins", "--config", str(path)],
            env={"PYTHONPATH": str(folder), "FOLDER": str(folder)},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(3600)",
        "try:\n    time.sleep(3600)\nexcept BaseException:\n    sys.exit(1)",
        "try:\n    time.sleep(3600)\nexcept BaseException:\n    pass",
    ],
    ids=["passes-it-on", "exits", "swallows-it"],
)
def test_ctrl_c_ends_the_command_whatever_the_plugin_makes_of_it(plugins: Path, source: str) -> None:
    install(plugins, "slow", MARK + source)
    with running_command(plugins) as process:
        wait_for((plugins / "importing").exists, what="the import")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert (output, (plugins / "errors").read_text()) == ("", "\nAborted!\n")


def test_the_log_names_a_plugin_whose_import_cannot_be_interrupted(plugins: Path) -> None:
    stubborn = (
        "while not (folder / 'enough').exists():\n    try: time.sleep(0.05)\n    except BaseException: pass\n"
    )
    install(plugins, "slow", MARK + stubborn + good("slow"))
    line = "importing plugin_slow:plugin of plugin 'slow' (simplestack-slow 1.0) has taken more than 0.2 s"
    with running_command(plugins, "[server]\nplugin_timeout_seconds = 0.2") as process:
        wait_for(lambda: line in (plugins / "errors").read_text(), what="the warning")
        (plugins / "enough").touch()
        output, _ = process.communicate(timeout=30)
    assert "slow       simplestack-slow 1.0  Good" in output
    assert (plugins / "errors").read_text().count(line) == 1


def test_a_plugin_that_puts_the_default_action_of_the_alarm_back_does_not_end_the_command(
    plugins: Path,
) -> None:
    source = (
        "import signal\nsignal.signal(signal.SIGALRM, lambda *arguments: None)\n"
        "signal.signal(signal.SIGALRM, signal.SIG_DFL)\n"
        "while not (folder / 'enough').exists(): time.sleep(0.05)\n"
    )
    install(plugins, "slow", MARK + source + good("slow"))
    line = "importing plugin_slow:plugin of plugin 'slow' (simplestack-slow 1.0) has taken more than 0.2 s"
    with running_command(
        plugins, "[server]\nhypervisors = ['slow']\nplugin_timeout_seconds = 0.2"
    ) as process:
        wait_for(lambda: line in (plugins / "errors").read_text() or process.poll(), what="the warning")
        (plugins / "enough").touch()
        output, _ = process.communicate(timeout=30)
    assert "slow       simplestack-slow 1.0  Good" in output
    assert process.returncode == 0


#: Raises an exception whose text is read when the load failure is written.
TEXT = "class Odd(Exception):\n    def __str__(self):\n        {body}\n        return 'text'\nraise Odd\n"


def test_a_text_of_an_exception_that_hangs_ends_at_the_time_limit(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "mute", TEXT.format(body="time.sleep(3600)"))
    with running_command(plugins, "[server]\nplugin_timeout_seconds = 0.5") as process:
        output, _ = process.communicate(timeout=30)
    assert "good       simplestack-good 1.0  Good" in output
    (line,) = (plugins / "errors").read_text().splitlines()
    assert "importing plugin_mute:plugin failed: Odd: its text cannot be shown" in line


def test_ctrl_c_ends_the_command_while_the_text_of_an_exception_is_read(plugins: Path) -> None:
    install(plugins, "good", GOOD)
    install(plugins, "mute", MARK + TEXT.format(body="(folder / 'reading').touch(); time.sleep(3600)"))
    with running_command(plugins) as process:
        wait_for((plugins / "reading").exists, what="the text to be read")
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=30)
    assert (process.returncode, output) == (1, "")
    assert (plugins / "errors").read_text() == "\nAborted!\n"


CODE = PluginCode("slow", "simplestack-slow", "1.0", "plugin_slow", 30)


def handlers() -> dict[int, object]:
    return {number: signal.getsignal(number) for number in signal.valid_signals()}


def test_ctrl_c_while_the_time_limit_is_set_up_ends_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    before, called, start = handlers(), [], threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        CODE.run("importing", lambda: called.append(1))
    assert called == []
    assert handlers() == before
    assert "simplestack-plugin-timer" not in {thread.name for thread in threading.enumerate()}


def test_a_time_limit_that_cannot_be_set_up_leaves_no_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = handlers()

    def fail(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    with pytest.raises(PluginFault, match="can't start new thread"):
        CODE.run("importing", lambda: None)
    assert handlers() == before
