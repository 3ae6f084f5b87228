"""Create the application for any WSGI server: ``gunicorn 'simplestack.server:create_app()'``."""

import logging
import sys
from pathlib import Path

from simplestack.config.load import Configuration, load_configuration
from simplestack.plugins.registry import load_registry
from simplestack.server.app import App, make_app
from simplestack.server.gunicorn import start_warnings

_log = logging.getLogger("simplestack.server")

#: Modules of gunicorn's workers that are loaded if it uses another worker than ours.
_OTHER_WORKERS = ("sync", "gasgi", "ggevent", "gtornado")


def create_app(config: str | Path | None = None) -> App:
    """Create the application for any WSGI server, and log the same warnings as ``simplestack serve``.

    The WSGI server chooses the address, so Simplestack does not know it. Unless `hypervisors` and each
    `allowed_hosts` are set, the application serves only clients on the same machine.

    :param config: TOML file with settings. Default: the file that ``SIMPLESTACK_CONFIG`` names
    :raises SettingsError: a setting is unknown or invalid
    """
    configuration = load_configuration(None if config is None else Path(config))
    registry = load_registry(configuration)
    registry.log_failures()
    registry.check_services()
    registry.check_hypervisors()
    local_only = not _is_explicit(configuration)
    for line in (*start_warnings(configuration, registry), *_warnings(configuration, local_only=local_only)):
        _log.warning("%s", line)
    return make_app(configuration, registry, local_only=local_only)


def _is_explicit(configuration: Configuration) -> bool:
    names = configuration.server.hypervisors
    return names is not None and all(
        "allowed_hosts" in configuration.hypervisors.get(name, {}) for name in names
    )


def _warnings(configuration: Configuration, *, local_only: bool) -> list[str]:
    """Return the warnings about what ``simplestack serve`` decides itself."""
    lines = []
    if not (local_only or configuration.exposed or configuration.server.tokens):
        lines.append(
            "server.tokens is not set: everybody who can connect to the WSGI server can use the service; "
            "create a token with `simplestack service-token`"
        )
    if any(f"gunicorn.workers.{name}" in sys.modules for name in _OTHER_WORKERS):
        lines.append(
            "gunicorn uses another worker class than simplestack.server.Worker: slow clients can block the "
            "service, responses have a Server header, and gunicorn opens its control socket; use "
            "--worker-class simplestack.server.Worker, or `simplestack serve`"
        )
    return lines
