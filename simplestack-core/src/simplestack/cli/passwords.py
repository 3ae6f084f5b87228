"""``simplestack token``, ``hash-password`` and ``service-token``: what goes into headers and settings."""

import base64

import click

from simplestack.identity.accounts import hash_password as make_hash
from simplestack.identity.tokens import new_token, token_hash


@click.command()
@click.argument("user")
@click.password_option(confirmation_prompt=False, help="Asked for when not given.")
def token(user: str, password: str) -> None:
    """Print the X-Simplestack-Hypervisor-Token of USER."""
    if not user or ":" in user:
        raise click.ClickException("a user name is not empty and has no colon")
    click.echo(base64.b64encode(f"{user}:{password}".encode()).decode())


@click.command("hash-password")
@click.password_option(help="Asked for when not given.")
def hash_password(password: str) -> None:
    """Print the hash of a password, for [hypervisors.NAME.accounts]."""
    click.echo(make_hash(password))


@click.command("service-token")
def service_token() -> None:
    """Make a service token, and the hash of it for [server.tokens]."""
    made = new_token()
    click.echo(f"token (for the client, shown once): {made}")
    click.echo(f"hash (for the settings):            {token_hash(made)}")
