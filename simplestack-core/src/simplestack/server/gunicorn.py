"""Run the service with gunicorn, configured from our settings."""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from gunicorn.app.base import BaseApplication

from simplestack.config.errors import SettingsError
from simplestack.config.load import Configuration
from simplestack.plugins.registry import Registry
from simplestack.server.app import make_app
from simplestack.server.arbiter import ServiceArbiter
from simplestack.server.log_output import GunicornLogger, set_up_logging
from simplestack.server.start_checks import file_warnings
from simplestack.server.worker import STOP_SIGNALS

_log = logging.getLogger("simplestack.server")

#: Environment variable that identifies one start of the service, for its workers.
INSTANCE_VARIABLE = "SIMPLESTACK_INSTANCE"
#: Loads settings and plugins as at the start; the argument overrides settings of ``[server]``.
Load = Callable[[Mapping[str, Any]], tuple[Configuration, Registry]]


class GunicornService(BaseApplication):
    """Gunicorn's application. Each worker creates its own app after the fork."""

    def __init__(self, configuration: Configuration, registry: Registry, load: Load) -> None:
        """Start nothing yet.

        :param load: called after SIGHUP; raises SettingsError if the service could not start like that
        """
        self._configuration = configuration
        self._registry = registry
        self._load = load
        os.environ[INSTANCE_VARIABLE] = uuid.uuid4().hex
        super().__init__()

    def load_config(self) -> None:
        """Set gunicorn's configuration from our settings."""
        server = self._configuration.server
        settings: dict[str, Any] = {
            "bind": server.bind,
            "workers": server.workers or os.cpu_count() or 1,
            "threads": server.threads,
            "worker_class": "simplestack.server.Worker",
            "keepalive": server.keep_alive_seconds,
            "graceful_timeout": server.graceful_timeout_seconds,
            "timeout": 60,
            "certfile": server.certificate,
            "keyfile": server.private_key,
            "logger_class": GunicornLogger,
            "loglevel": server.log_level,
            "control_socket_disable": True,
            "proc_name": "simplestack",
            "when_ready": self._when_ready,
            "on_reload": self._on_reload,
        }
        for name, value in settings.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Create the app. Gunicorn calls this in each worker."""
        return make_app(self._configuration, self._registry)

    def run(self) -> None:
        """Serve until a signal ends it."""
        self._log_start()
        os.register_at_fork(
            before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS),
            after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS),
        )
        try:
            ServiceArbiter(self, self).run()
        except RuntimeError as error:  # gunicorn's class for wrong settings of its own
            _log.error("%s", error)
            sys.exit(1)

    def read_settings(self) -> bool:
        """Read the settings again, and use them for new workers. If they are wrong, keep the old ones.

        :return: whether they can be used; the log says why not
        """
        bind = self._configuration.server.bind
        try:
            configuration, registry = self._load({})
            wanted = configuration.server.bind
            if wanted != bind:  # what is required depends on the address
                configuration, registry = self._load({"bind": bind})
        except SettingsError as error:
            for line in error.problems:
                _log.error("%s", line)
            _log.error("SIGHUP: the new settings are wrong, the service keeps the old ones")
            return False
        except Exception:
            _log.exception("SIGHUP: the new settings cannot be loaded, the service keeps the old ones")
            return False
        self._configuration, self._registry = configuration, registry
        self._log_start()
        if wanted != bind:
            _log.warning("server.bind: %s needs a restart, the service still listens on %s", wanted, bind)
        return True

    def _log_start(self) -> None:
        server = self._configuration.server
        set_up_logging(server.log_level, server.log_format)
        self._registry.log_failures()

    def _log_warnings(self) -> None:
        for line in start_warnings(self._configuration, self._registry):
            _log.warning("%s", line)

    def _on_reload(self, _arbiter: Any) -> None:
        self._log_warnings()
        _log.info("SIGHUP: new workers start with the new settings, the old ones finish their requests")

    def _when_ready(self, _arbiter: Any) -> None:
        configuration = self._configuration
        self._log_warnings()
        names = ", ".join(hypervisor.name for hypervisor in self._registry.plugins()) or "none"
        scheme = "http" if configuration.server.certificate is None else "https"
        services = ", ".join(service.name for service in self._registry.services) or "none"
        _log.info(
            "ready at %s://%s, hypervisors: %s, services: %s",
            scheme,
            configuration.server.bind,
            names,
            services,
        )


def start_warnings(configuration: Configuration, registry: Registry) -> list[str]:
    """Return the warnings that the service logs when it starts."""
    warnings = [*registry.warnings(), *file_warnings(configuration)]
    if configuration.exposed and configuration.server.certificate is None:
        warnings.append(
            f"listening on {configuration.server.bind} without TLS: the network can read the passwords in "
            "requests; set server.certificate and server.private_key, or use a proxy with TLS"
        )
    if configuration.exposed and not configuration.server.tokens:
        warnings.append(
            f"listening on {configuration.server.bind} without server.tokens: everybody who can connect "
            "can use the service; create a token with `simplestack service-token`"
        )
    return warnings
