"""A guest's image of 4 GiB out of and into a simulated XAPI through the service, beside curl straight to it.

XAPI speaks TLS, in both cases; the service's own client does not.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.comparisons import Comparison, take_turns
from benchmarks.curl import POST_IMAGE, curl
from benchmarks.scale import Scale
from benchmarks.transfers import Worker, rates
from benchmarks.xapi import Host, hang_up, xapi
from support.service import running_service, token
from support.xapi import PASSWORD, USER

_BESIDE = "curl straight to XAPI"
_CONFIG = "[server]\nworkers = 1\n"


def run(scale: Scale) -> Iterator[Comparison]:
    """Compare exports and imports, and look at the worker's memory."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            xapi(folder, "--content", str(scale.image_bytes)) as host,
            running_service(folder / "service", host.toml + _CONFIG) as service,
        ):
            session = host.connect()
            vm = session.xenapi.VM.get_by_name_label("vm-0")[0]
            uuid = session.xenapi.VM.get_uuid(vm)
            direct = f"https://127.0.0.1:{host.port}"
            query = urlencode({"session_id": session.handle, "ref": vm})
            ours = f"http://127.0.0.1:{service.port}/xen/{host.place}"
            image = folder / "image"
            _curl(host, f"{direct}/export?{query}", "speed_download", "--output", str(image))
            service.get(
                f"/xen/{host.place}", headers={"X-Simplestack-Hypervisor-Token": token(USER, PASSWORD)}
            )
            worker = Worker(service)
            size = f"{scale.image_bytes / 1024**3:g} GiB"
            exports = take_turns(
                scale.rounds,
                {
                    "ours": lambda: _curl(host, f"{ours}/guests/{uuid}/export", "speed_download"),
                    "direct": lambda: _curl(host, f"{direct}/export?{query}", "speed_download"),
                },
            )
            after_exports = worker.memory("xen-images", "exports", most_mib=24)
            yield rates("xen-images", f"export of {size}", _BESIDE, exports, least=0.8)
            upload = ("--upload-file", str(image), "--header", "Expect:")
            imports = take_turns(
                scale.rounds,
                {
                    "ours": lambda: _curl(host, f"{ours}/guests", "speed_upload", *upload, *POST_IMAGE),
                    "direct": lambda: _curl(host, f"{direct}/import?{query}", "speed_upload", *upload),
                },
            )
            after_imports = worker.memory("xen-images", "imports", most_mib=24)
            yield rates("xen-images", f"import of {size}", _BESIDE, imports, least=0.7)
            yield after_exports
            yield after_imports
            hang_up(session)


def _curl(host: Host, url: str, figure: str, *options: str) -> float:
    """Return MB/s."""
    header = f"X-Simplestack-Hypervisor-Token: {token(USER, PASSWORD)}"
    return curl(url, figure, "--cacert", str(host.ca_file), "--header", header, *options)[0]
