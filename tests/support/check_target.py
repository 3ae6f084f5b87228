"""``simplestack check-target``, as an operator runs it."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner

from simplestack.cli.main import main


@dataclass(frozen=True)
class Checked:
    """What the command printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def steps(self) -> list[str]:
        """The results of the steps, such as `ok plugin`."""
        lines = [line for line in self.stdout.splitlines() if not line.startswith(" ")]
        return [" ".join(line.split()[:2]) for line in lines]

    @property
    def error(self) -> str:
        """What the step that failed says, and what to do."""
        _, _, text = self.stdout.partition("failed  ")
        return " ".join(text.split())


def check_target(
    folder: Path,
    hypervisor: str,
    host: str,
    settings: str = "",
    *,
    user: str = "admin",
    password: str = "secret",
    plugins: Path | None = None,
) -> Checked:
    """Run the command with settings, and with user and password in the environment.

    :param plugins: a folder of installed distributions, beside those of the environment: then it runs in a
        process of its own, which takes longer to start
    """
    config = folder / "simplestack.toml"
    config.write_text(settings)
    arguments = ["check-target", hypervisor, host, "--config", str(config)]
    environment = {"SIMPLESTACK_TARGET_USER": user, "SIMPLESTACK_TARGET_PASSWORD": password}
    if plugins is None:
        result = CliRunner().invoke(main, arguments, env=environment, catch_exceptions=False)
        checked = Checked(result.exit_code, result.stdout, result.stderr)
    else:
        done = subprocess.run(
            [sys.executable, "-m", "simplestack", *arguments],
            env={**environment, "PYTHONPATH": str(plugins), "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"]},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        checked = Checked(done.returncode, done.stdout, done.stderr)
    for text in (checked.stdout, checked.stderr):
        assert not password or password not in text
        assert "Traceback" not in text, text
    return checked
