"""The OpenAPI 3.1 document: the REST contract as machines read it.

Nothing is written down twice for it. Paths and methods come from the operations table, bodies and answers
from the structs that validate them (the plugins' own included), explanations from the docstrings of the
hookspecs and the comments of the members, errors from what the hookspecs raise.
"""

from simplestack.server.openapi.document import openapi_document

__all__ = ["openapi_document"]
