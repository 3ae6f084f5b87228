"""An authority, and settings that trust it."""

import pytest

from simplestack import TlsSettings
from simulators.tls import Trust, make_trust


@pytest.fixture(scope="session")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return make_trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    """Give another authority."""
    return make_trust(tmp_path_factory.mktemp("stranger"))


@pytest.fixture
def settings(trust: Trust) -> TlsSettings:
    return TlsSettings(tls_ca_file=str(trust.ca_file), connect_timeout_seconds=5)
