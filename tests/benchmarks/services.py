"""What runs meanwhile: Simplestack with settings of a benchmark's own, bare Falcon, nginx, a raw sink."""

import contextlib
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.requirements import path_of
from support.service import free_port, wait_for

HERE = Path(__file__).parent
_NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/nginx.pid;
events {{}}
http {{
    access_log off;
    sendfile on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


@contextlib.contextmanager
def bare_falcon(folder: Path) -> Iterator[int]:
    """Run Falcon with a static answer for each file of a folder, and the gunicorn options of our defaults."""
    port = free_port()
    options = f"--workers {os.cpu_count()} --threads 32 --keep-alive 75 --timeout 60 --no-control-socket"
    command = [sys.executable, "-m", "gunicorn", *options.split(), "--worker-class", "gthread"]
    command += ["--bind", f"127.0.0.1:{port}", "--chdir", str(HERE), "bare_app:app"]
    with _running(command, {"BENCHMARK_ANSWERS": str(folder)}, f"http://127.0.0.1:{port}/ready"):
        yield port


@contextlib.contextmanager
def nginx(folder: Path) -> Iterator[int]:
    """Run nginx, which sends the files of a folder with sendfile(2), in one worker."""
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(_NGINX.format(folder=folder, port=port))
    folder.chmod(0o755)  # its worker is another user when it is started by root
    command = [path_of("nginx"), "-c", str(configuration), "-p", str(folder), "-e", "stderr"]
    with _running(command, {}, f"http://127.0.0.1:{port}/nginx.conf"):
        yield port


@contextlib.contextmanager
def raw_sink() -> Iterator[int]:
    """Run a process that reads bodies from its socket and drops them."""
    port = free_port()
    command = [sys.executable, str(HERE / "sink.py"), str(port)]
    with _running(command, {}, f"http://127.0.0.1:{port}/"):
        yield port


@contextlib.contextmanager
def _running(command: list[str], environment: Mapping[str, str], url: str) -> Iterator[None]:
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, env={**os.environ, **environment})

    def answers() -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310  http
            return bool(response.status == 200)
        return False

    try:
        wait_for(answers, what=command[0])
        yield
    finally:
        process.terminate()
        process.wait(20)
