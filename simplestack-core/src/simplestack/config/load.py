"""Load settings from a TOML file and from the environment.

``SIMPLESTACK_CONFIG`` names the file. Environment variables override it: ``SIMPLESTACK_SERVER__BIND`` is
``[server] bind``, ``SIMPLESTACK_HYPERVISORS__KVM__TRANSPORT`` is ``[hypervisors.kvm] transport``. Their
values are TOML, or plain text if they are not valid TOML. Variables without a double underscore are not
settings, since container platforms set some of their own. One exception: ``SIMPLESTACK_TRACE_HOOKS=1`` sets
``[server] trace_hooks``.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from simplestack.config.errors import SettingsError
from simplestack.config.proxies import proxy_networks
from simplestack.config.settings import ServerSettings
from simplestack.config.tables import convert_table
from simplestack.identity.hashes import has_hashes
from simplestack.identity.tokens import check_token_hash

#: A name, an IPv4 address, an IPv6 address in brackets, or nothing for all addresses; and a port.
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]*):(?P<port>[0-9]+)")
#: An open file descriptor, which a process manager passes.
_DESCRIPTOR = re.compile(r"fd://[0-9]+")
_MAX_PORT = 65535
_PREFIX = "SIMPLESTACK_"
CONFIG_VARIABLE = "SIMPLESTACK_CONFIG"
_TRACE_VARIABLE = "SIMPLESTACK_TRACE_HOOKS"
#: Tables that have a table for each plugin.
_PLUGIN_TABLES = ("hypervisors", "services")


@dataclass(frozen=True, slots=True)
class Configuration:
    """All settings. Those of plugins are not yet checked: the plugins do that."""

    server: ServerSettings
    hypervisors: dict[str, dict[str, Any]]
    services: dict[str, dict[str, Any]]
    #: Whether the service listens on an address that other machines can reach.
    exposed: bool
    #: The file that they come from.
    path: Path | None = None
    #: Whether the file has hashes of tokens or passwords.
    has_hashes: bool = False

    def names_hypervisor(self, name: str) -> bool:
        """Return whether the settings name a hypervisor plugin, so that the operator expects it to work."""
        return name in self.hypervisors or name in (self.server.hypervisors or ())


def load_configuration(
    path: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> Configuration:
    """Load the settings.

    :param path: the TOML file. Default: the file that ``SIMPLESTACK_CONFIG`` names, if it is set
    :param overrides: settings of ``[server]`` that override the file and the environment
    :raises SettingsError: the file cannot be read, or settings are unknown or invalid; it has all problems
    """
    configuration, problems = read_configuration(path, environment, overrides)
    if problems:
        raise SettingsError(*problems)
    return configuration


def read_configuration(
    path: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] | None = None,
) -> tuple[Configuration, list[str]]:
    """Read the settings, and return them with everything that is wrong in them. Invalid ones are left out.

    :param path: the TOML file. Default: the file that ``SIMPLESTACK_CONFIG`` names, if it is set
    :param overrides: settings of ``[server]`` that override the file and the environment
    :raises SettingsError: the file cannot be read
    """
    if path is None and environment.get(CONFIG_VARIABLE):
        path = Path(environment[CONFIG_VARIABLE])
    raw = {} if path is None else _read(path)
    has_secrets = has_hashes(raw)
    problems: list[str] = []
    _merge_environment(raw, environment, problems)
    problems += [
        f"{name}: there is no such setting; the tables are [server], [hypervisors.NAME] and [services.NAME]"
        for name in sorted(set(raw) - {"server", *_PLUGIN_TABLES})
    ]
    trace = _trace_setting(environment, problems)
    raw_server = {**_table(raw, "server", problems), **trace, **(overrides or {})}
    server = _server(raw_server, problems)
    hypervisors, services = (_tables(raw, kind, problems) for kind in _PLUGIN_TABLES)
    why = wrong_address(server.bind)
    exposed = why is None and not is_loopback(server.bind)
    if why is not None:
        problems.append(f"server.bind: {why}")
    if exposed and "hypervisors" not in raw_server:
        problems.append(
            f"server.hypervisors is missing: to listen on {server.bind}, list the hypervisor plugins to use, "
            'for example hypervisors = ["kvm"]'
        )
    return Configuration(server, hypervisors, services, exposed, path, has_secrets), problems


def is_loopback(bind: str) -> bool:
    """Return whether only this machine can reach an address to listen on."""
    if bind.startswith("unix:"):
        return True
    host = bind.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def wrong_address(bind: str) -> str | None:
    """Return what is wrong with the form of an address. Without a port, gunicorn silently chooses one."""
    if bind.startswith("unix:"):
        return None
    if bind.startswith("fd://"):
        return None if _DESCRIPTOR.fullmatch(bind) else f"{bind!r} is not fd://NUMBER, such as fd://3"
    address = _ADDRESS.fullmatch(bind)
    if address is None:
        return f"{bind!r} is not HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081"
    if int(address["port"]) > _MAX_PORT:
        return f"{address['port']} is not a port: use 1 to {_MAX_PORT}"
    return None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None


def _merge_environment(raw: dict[str, Any], environment: Mapping[str, str], problems: list[str]) -> None:
    for variable, text in sorted(environment.items()):
        if not variable.startswith(_PREFIX) or "__" not in variable:
            continue
        *tables, key = variable.removeprefix(_PREFIX).lower().split("__")
        table: Any = raw
        for name in tables:
            table = table.setdefault(name, {})
            if not isinstance(table, dict):
                problems.append(f"{variable}: {name!r} is not a table of settings")
                break
        else:
            table[key] = _value(text)


def _trace_setting(environment: Mapping[str, str], problems: list[str]) -> dict[str, bool]:
    text = environment.get(_TRACE_VARIABLE, "")
    if text not in ("", "0", "1"):
        problems.append(f"{_TRACE_VARIABLE}: expected 1 or 0, got {text!r}")
        return {}
    return {"trace_hooks": text == "1"} if text else {}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _table(raw: Mapping[str, Any], name: str, problems: list[str], place: str = "") -> dict[str, Any]:
    table = raw.get(name, {})
    if not isinstance(table, dict):
        problems.append(f"{place}{name}: expected a table of settings, got {table!r}")
        return {}
    return table


def _tables(raw: Mapping[str, Any], kind: str, problems: list[str]) -> dict[str, dict[str, Any]]:
    """Return the tables of all plugins of a kind."""
    tables = _table(raw, kind, problems)
    return {name: _table(tables, name, problems, f"{kind}.") for name in tables}


def _server(raw: dict[str, Any], problems: list[str]) -> ServerSettings:
    table = convert_table(raw, ServerSettings, "server", _converted)
    problems += table.problems
    server = ServerSettings() if table.values is None else table.values
    if ("certificate" in raw) != ("private_key" in raw):
        problems.append("server.certificate and server.private_key: set both or neither")
    try:
        proxy_networks(server.trusted_proxies)
    except ValueError as error:
        problems.append(f"server.trusted_proxies: {error}")
    for holder, hashed in server.tokens.items():
        try:
            check_token_hash(hashed)
        except ValueError as error:
            problems.append(f"server.tokens.{holder}: {error}")
    return server


def _converted(raw: dict[str, Any]) -> ServerSettings | msgspec.ValidationError:
    try:
        return msgspec.convert(raw, ServerSettings)
    except msgspec.ValidationError as error:
        return error
