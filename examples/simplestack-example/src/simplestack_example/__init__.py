"""The example plugin's description: what its entry point names."""

from simplestack import HypervisorPlugin
from simplestack_example import guests, pools, session

plugin = HypervisorPlugin(
    name="example",
    title="The pretend hypervisor of the tutorial",
    tested_against="the conformance kit",
    settings=session.ExampleSettings,
    connect=session.connect,
    disconnect=session.disconnect,
    translate=session.translate,
    warnings=session.warnings,
    shares_sessions=True,
    hooks=(pools, guests),
)
