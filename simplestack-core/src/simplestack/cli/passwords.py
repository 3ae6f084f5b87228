"""``simplestack token``, ``hash-password`` and ``service-token``: values for headers and settings."""

import base64

import click

from simplestack.identity.accounts import hash_password as make_hash
from simplestack.identity.tokens import new_token, token_hash


@click.command()
@click.argument("user")
@click.password_option(confirmation_prompt=False, help="Default: a prompt asks for it.")
def token(user: str, password: str) -> None:
    """Print the value of the header X-Simplestack-Hypervisor-Token for USER."""
    if not user or ":" in user:
        raise click.ClickException("USER must not be empty and must not have a colon")
    click.echo(base64.b64encode(f"{user}:{password}".encode()).decode())


@click.command("hash-password")
@click.password_option(help="Default: a prompt asks for it.")
def hash_password(password: str) -> None:
    """Print the hash of a password for the setting [hypervisors.NAME.accounts]."""
    click.echo(make_hash(password))


@click.command("service-token")
def service_token() -> None:
    """Create a service token, and print it with its hash for the setting [server.tokens]."""
    created = new_token()
    click.echo(f"token (for the client, shown once): {created}")
    click.echo(f"hash (for the settings):            {token_hash(created)}")
