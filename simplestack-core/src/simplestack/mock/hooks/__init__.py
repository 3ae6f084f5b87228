"""The operations, one module for each entity: plain functions marked with ``@hookimpl``."""
