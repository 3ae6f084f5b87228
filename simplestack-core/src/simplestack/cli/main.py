"""``simplestack``: the entry point of the command line."""

import click

from simplestack.cli.check_config import check_config
from simplestack.cli.check_target import check_target
from simplestack.cli.conformance import conformance
from simplestack.cli.healthcheck import healthcheck
from simplestack.cli.openapi import openapi
from simplestack.cli.operations import operations
from simplestack.cli.passwords import hash_password, service_token, token
from simplestack.cli.plugins import plugins
from simplestack.cli.serve import serve


@click.group()
@click.version_option(package_name="simplestack-core", prog_name="simplestack")
def main() -> None:
    """One REST API in front of many hypervisors."""


for command in (
    serve,
    check_config,
    healthcheck,
    check_target,
    plugins,
    operations,
    openapi,
    conformance,
    token,
    hash_password,
    service_token,
):
    main.add_command(command)
