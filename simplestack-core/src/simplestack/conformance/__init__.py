"""The conformance kit: drives every operation that a plugin implements, against a real target.

.. code-block:: sh

    pip install 'simplestack-core[testing]'
    pytest -p simplestack.conformance --hypervisor NAME --host HOST --username USER

The tests of an entity are in its module. Those that ask for the fixture ``client`` run twice, through
:class:`simplestack.Stack` in this process and through HTTP; those that ask for ``http`` are about the wire.

This package imports nothing until pytest loads it as a plugin.
"""

pytest_plugins = ("simplestack.conformance.plugin",)
