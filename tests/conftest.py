"""Shared by all tests: the real engine, found once. Under CI a missing engine is a failure, never a skip."""

from __future__ import annotations

import os

import pytest

from orchestrator.errors import EngineError
from orchestrator.host.docker_api import connect, engine_url


@pytest.fixture(scope="session")
def docker_url() -> str:
    """Address of a Docker engine that answers."""
    try:
        connect().close()
    except EngineError as error:
        if os.environ.get("CI"):
            pytest.fail(f"{error}; run scripts/engine first")
        pytest.skip(f"{error}; run scripts/engine first")
    return engine_url()
