"""Generate the OpenAPI 3.1 document.

Paths and methods come from the operations table, schemas from the structs that validate bodies and results
(including those of plugins), descriptions from the docstrings of hookspecs and the comments of fields, and
errors from the ``:raises:`` lines of hookspecs.
"""

from simplestack.server.openapi.document import openapi_document

__all__ = ["openapi_document"]
