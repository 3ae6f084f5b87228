"""The conformance kit: drives every operation that a plugin implements, against a real target.

.. code-block:: sh

    pip install 'simplestack-core[testing]'
    simplestack conformance NAME --host HOST --username USER

The tests of an entity are in its module. Those that ask for the fixture ``client`` run twice, through
:class:`simplestack.Stack` in this process and through HTTP; those that ask for ``http`` test the
REST API itself.

``pytest -p simplestack.conformance`` loads the kit; importing this package does not.
"""

pytest_plugins = ("simplestack.conformance.plugin",)
