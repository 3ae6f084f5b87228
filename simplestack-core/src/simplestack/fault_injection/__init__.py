"""A service plugin for tests of clients: operations of any hypervisor fail, hang or drop the connection.

It is off unless ``server.services`` names it. Rules select the calls and say what goes wrong. They are in an
SQLite file, which all workers of a service share. The pages below ``/_fault_injection`` and
:class:`~simplestack.fault_injection.Faults` add and remove them.
"""

from simplestack import ServicePlugin
from simplestack.fault_injection.file import Faults
from simplestack.fault_injection.injection import FaultInjection
from simplestack.fault_injection.rules import CallCount, Report, Rule
from simplestack.fault_injection.settings import FaultInjectionSettings, warnings

__all__ = ["CallCount", "FaultInjectionSettings", "Faults", "Report", "Rule", "plugin"]

plugin = ServicePlugin(
    name="fault_injection",
    title="Fault injection for tests",
    settings=FaultInjectionSettings,
    make=FaultInjection,
    opt_in=True,
    warnings=warnings,
)
