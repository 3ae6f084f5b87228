"""curl, which fetches and sends images."""

import subprocess

from benchmarks.requirements import path_of

#: curl waits a second for "100 Continue" from servers that do not say it, unless told not to ask.
POST_IMAGE = (
    *("--request", "POST", "--header", "Expect:"),
    *("--header", "Content-Type: application/octet-stream"),
)


def curl(url: str, figure: str, *options: str) -> tuple[float, str]:
    """Return MB/s, and where the answer says that the new thing is.

    :param figure: of the transfer: ``speed_download`` or ``speed_upload``
    """
    command = [path_of("curl"), "--silent", "--show-error", "--fail", *options]
    if "--output" not in options:
        command += ["--output", "/dev/null"]
    command += ["--write-out", f"%{{stderr}}%{{{figure}}} %header{{location}}"]
    done = subprocess.run([*command, url], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{url}: {done.stderr}")
    rate, _, location = done.stderr.partition(" ")
    return float(rate) / 1e6, location
