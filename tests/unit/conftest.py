"""The command line in this process, apart from whatever settings and engine this machine has."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.config import catalog, images
from orchestrator.host.shipped import overlays, use_overlays
from tests.unit.cli_calls import Call


@pytest.fixture
def call(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Call]:
    """The command line, with no settings but those of the test, and no engine behind it."""
    for name in [name for name in os.environ if name.startswith("MLPERF_DOCKER_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path.parent))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield Call(capsys)
    if overlays():
        use_overlays(())
        catalog.forget()
        images.image_entries.cache_clear()
    for number, action in before.items():
        signal.signal(number, action)
