"""The description at the beginning of the document: what clients must know before their first request."""

from collections.abc import Sequence
from importlib.resources import files

from simplestack.config.settings import HypervisorSettings
from simplestack.plugins.hypervisor import Hypervisor

_OF_MOCK = "The mock hypervisor accepts any user name and password. Each host name is a separate data centre."
_OF_TOKENS = (
    "This service also requires a **service token**, which its operator issues. "
    "Send it as `Authorization: Bearer TOKEN`."
)


def introduction(hypervisors: Sequence[Hypervisor], *, asks_for_service_token: bool) -> str:
    """Return the description of a service that has these hypervisors, in Markdown.

    :param asks_for_service_token: whether requests need a service token
    """
    names = [hypervisor.name for hypervisor in hypervisors]
    has_mock = "mock" in names
    notes = [*([_OF_MOCK] if has_mock else []), *([_OF_TOKENS] if asks_for_service_token else [])]
    limits = HypervisorSettings()
    text = (files("simplestack.server.openapi") / "introduction.md").read_text()
    return text.format(
        example="mock/demo" if has_mock else f"{names[0] if names else 'kvm'}/10.0.0.1",
        user="demo:demo" if has_mock else "user:password",
        notes="".join(f"\n{note}\n" for note in notes),
        long_minutes=limits.long_call_timeout_seconds / 60,
        seconds=limits.call_timeout_seconds,
    ).rstrip()
