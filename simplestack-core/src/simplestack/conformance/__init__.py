"""The conformance kit: tests every operation that a plugin implements against a real host.

.. code-block:: sh

    pip install './simplestack-core[testing]'     # in a clone of Simplestack
    simplestack conformance NAME --host HOST --username USER

Each entity has a module of tests. Tests with the fixture ``client`` run twice: through
:class:`simplestack.Stack` in this process, and through HTTP. Tests with the fixture ``http`` test the REST
API.

``pytest -p simplestack.conformance`` loads the kit; importing this package does not.
"""

pytest_plugins = ("simplestack.conformance.plugin",)
