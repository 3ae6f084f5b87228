"""The REST layer: ``gunicorn 'simplestack.server:create_app()'``."""

from simplestack.server.creation import create_app
from simplestack.server.worker import Worker

__all__ = ["Worker", "create_app"]
