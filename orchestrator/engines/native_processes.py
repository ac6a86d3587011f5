"""Find and end what a native container's processes became, by the marks in their environment."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host.owner import start_time

OWNER_VARIABLE = "MLPERF_DOCKER_OWNER"
CONTAINER_VARIABLE = "MLPERF_DOCKER_CONTAINER"
RUN_VARIABLE = "MLPERF_DOCKER_RUN"
_GONE_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """A living process with our marks; `started` tells it from a later one with the same number."""

    pid: int
    started: str
    name: str
    owner: str
    container: str


def marked() -> Iterator[Marked]:
    """Every process we may look into (our own user's; root: all) that a native container started."""
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        folder = Path(entry.path)
        try:
            raw = (folder / "environ").read_bytes()
            if OWNER_VARIABLE.encode() not in raw:
                continue
            name = (folder / "comm").read_text().strip()
        except OSError:  # gone, or another user's
            continue
        variables = _variables(raw)
        started = start_time(int(entry.name))
        if started is not None and OWNER_VARIABLE in variables:
            yield Marked(
                pid=int(entry.name),
                started=started,
                name=name,
                owner=variables[OWNER_VARIABLE],
                container=variables.get(CONTAINER_VARIABLE, ""),
            )


def kill_marked(chosen: Callable[[Marked], bool]) -> tuple[Marked, ...]:
    """SIGKILL the chosen ones, and those they start meanwhile; returns those that are gone."""
    killed: dict[int, Marked] = {}
    deadline = time.monotonic() + _GONE_WITHIN_S
    while (found := [process for process in marked() if chosen(process)]) and time.monotonic() < deadline:
        for process in found:
            killed[process.pid] = process
            try:
                os.kill(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue
        time.sleep(_LOOK_EVERY_S)
    left = {process.pid for process in found}
    return tuple(process for pid, process in sorted(killed.items()) if pid not in left)


def _variables(raw: bytes) -> Mapping[str, str]:
    texts = (text.decode("utf-8", "replace") for text in raw.split(b"\0") if b"=" in text)
    return dict(text.split("=", 1) for text in texts)
