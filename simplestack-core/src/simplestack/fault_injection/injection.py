"""The hooks of the plugin: one around each operation, and one for its pages."""

from collections.abc import Generator, Iterable, Mapping
from typing import Any

from simplestack import CallContext, Export, Routes, hookimpl
from simplestack.fault_injection.fault import Fault
from simplestack.fault_injection.file import Faults
from simplestack.fault_injection.settings import FaultInjectionSettings


class FaultInjection:
    """Applies the rules of a file to all operations."""

    def __init__(self, settings: FaultInjectionSettings) -> None:
        """Create the file if it does not exist.

        :raises ValueError: the file cannot be used
        """
        self._faults = Faults(settings.file, settings.rules)

    @hookimpl(wrapper=True, trylast=True)  # the innermost: to other service plugins, the hypervisor fails
    def operation_call(
        self, operation: str, arguments: Mapping[str, Any], context: CallContext
    ) -> Generator[None, Any, Any]:
        """Apply the rules for this call: before the operation, within its stream, or after it."""
        applicable = self._faults.count(operation, arguments, context)
        faults = [Fault(report, self._faults, operation, context) for report in applicable]
        in_stream = [fault for fault in faults if fault.is_in_stream]
        for fault in faults:
            if fault.rule.when == "before" and not fault.is_in_stream:
                fault.apply()
        if "stream" in arguments:
            for fault in in_stream:
                arguments["stream"].wrap(fault.cut_import)
        try:
            result = yield
        except Exception as error:
            _raise_from_stream(in_stream, error)
            raise
        if isinstance(result, Export):
            for fault in in_stream:
                result = Export(fault.cut_export(result.chunks), result.size)
        for fault in faults:
            if fault.rule.when == "after":
                fault.apply()
        return result

    @hookimpl
    def service_routes(self, app: Routes) -> None:
        """Add the pages that set rules."""
        from simplestack.fault_injection.pages import add_pages  # noqa: PLC0415  falcon is the service's alone

        add_pages(app, self._faults)


def _raise_from_stream(faults: Iterable[Fault], error: Exception) -> None:
    """Raise the error of a fault in the stream if the hypervisor plugin raised another one instead."""
    for fault in faults:
        if fault.raised is not None and fault.raised is not error:
            raise fault.raised from error
