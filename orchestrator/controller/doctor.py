"""Look the machine over before anything is run: findings, each with its remedy. Changes nothing, installs nothing."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.controller.gpu_preflight import gpu_findings, gpu_preflight
from orchestrator.controller.machine_checks import disk_findings, machine_findings
from orchestrator.controller.network_checks import network_findings
from orchestrator.domain.container import Capability, EngineInfo
from orchestrator.domain.finding import Finding, fault, note, ok, warning
from orchestrator.domain.ports import Engine
from orchestrator.domain.site import Site
from orchestrator.errors import EngineError
from orchestrator.host.disks import Disk, disk, nearest_existing
from orchestrator.host.docker_api import engine_url
from orchestrator.host.machine import IMAGE_ARCHITECTURES, Machine, describe_machine

__all__ = ["Surroundings", "doctor", "gpu_preflight"]

_CACHE_WANTS_BYTES = 1 << 30
_RESULTS_WANT_BYTES = 256 << 20
_ENGINE_WANTS_BYTES = 4 << 30
_ENOUGH_OPEN_FILES = 65536
_PATIENT_PIP = (sys.executable, "-m", "pip")


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where the program would work: its folders, the site's settings, the environment; `pip` starts the user's pip.

    `network` lets pip ask its default index (which a configured one makes needless). `endpoint` is the engine's
    address where one is set, for the case that it does not answer. `access` tells what gated assets may be fetched.
    """

    cache_dir: Path
    results_dir: Path
    site: Site = Site()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    pip: tuple[str, ...] = _PATIENT_PIP
    network: bool = False
    endpoint: str | None = None
    access: Callable[[], tuple[Finding, ...]] = tuple


def doctor(
    *, engine: Callable[[], Engine | None], around: Surroundings, machine: Machine | None = None
) -> tuple[Finding, ...]:
    """All findings, engine first. `engine` may return None or raise EngineError: both are findings, never errors."""
    here = machine if machine is not None else describe_machine()
    info, of_engine = _ask(engine)
    return (
        *of_engine,
        *(engine_findings(info, here) if info else ()),
        *socket_findings(info.endpoint if info else engine_url(around.endpoint)),
        *_writable("cache directory", around.cache_dir),
        *_writable("results directory", around.results_dir),
        *disk_findings(_disks(around, info)),
        *machine_findings(here, around.environment),
        *gpu_findings(here),
        *network_findings(around.site, around.environment, pip=around.pip, ask_pip=around.network),
        *around.access(),
    )


def _ask(engine: Callable[[], Engine | None]) -> tuple[EngineInfo | None, tuple[Finding, ...]]:
    remedy = "start one (scripts/engine does, as root), or choose with --engine; --engine native needs none"
    try:
        found = engine()
        if found is None:
            return None, (fault("engine", "no container engine was found", remedy),)
        info = found.info()
    except EngineError as error:
        return None, (fault("engine", str(error), error.hint or remedy),)
    return info, (ok("engine", f"{info.name} {info.version} answers at {info.endpoint} ({info.platform})"),)


def engine_findings(info: EngineInfo, machine: Machine) -> Iterator[Finding]:
    """What an engine that answers does not enforce, its platform, its hard limits, its own remarks."""
    yield from _capabilities(info)
    yield from _platform(info, machine)
    yield from _hard_limits(info)
    for text in info.notes:
        yield note("engine", text, "nothing need be done, unless a plan needs it; runs say so on their record")


def _capabilities(info: EngineInfo) -> Iterator[Finding]:
    group = f"control groups version {info.cgroup_version}" if info.cgroup_version else "control groups unknown"
    user = "rootless" if info.rootless else "run by root"
    # GPUs have their own findings; where no GPU is, their lack is no news.
    lacking = sorted(one.value for one in Capability if one not in info.capabilities and one is not Capability.GPU)
    if not lacking:
        yield ok("engine-enforces", f"every limit and isolation that is known ({group}, {user})")
        return
    remedy = "a run that asks for one is refused or marked on its record; another engine (--engine) may enforce it"
    if info.rootless and Capability.MEMORY_LIMIT not in info.capabilities:
        remedy += "; rootless engines need control groups version 2 with delegation for limits"
    yield note("engine-enforces", f"{info.name} does not enforce {', '.join(lacking)} ({group}, {user})", remedy)


def _platform(info: EngineInfo, machine: Machine) -> Iterator[Finding]:
    name = machine.processors.architecture
    ours = IMAGE_ARCHITECTURES.get(name, name)
    theirs = info.platform.split("/")[1] if "/" in info.platform else ours
    if theirs != ours:
        text = f"the engine runs {info.platform}, this machine is {ours}: containers would run elsewhere or emulated"
        yield warning("engine-platform", text, "use an engine of this machine (DOCKER_HOST may point to another)")


def _hard_limits(info: EngineInfo) -> Iterator[Finding]:
    for name, text in info.hard_limits:
        if not text.isdigit():
            continue
        limit = int(text)
        if name == "memlock":
            said = f"the engine's hard limit of locked memory (memlock) is {limit} bytes, and so its containers'"
            remedy = "harmless on processors; for GPUs raise it (LimitMEMLOCK=infinity in the engine's service)"
            yield note("engine-memlock", said, remedy)
        elif name == "nofile" and limit < _ENOUGH_OPEN_FILES:
            said = f"the engine's hard limit of open files (nofile) is {limit}, and so its containers'"
            yield note("engine-nofile", said, "enough for one harness; else raise LimitNOFILE in the engine's service")


def socket_findings(endpoint: str) -> tuple[Finding, ...]:
    """Whether the caller may use the engine's socket, and whether too many others may."""
    if not endpoint.startswith("unix://"):
        return ()
    path = Path(endpoint.removeprefix("unix://"))
    try:
        mode = path.stat()
    except FileNotFoundError:
        return (fault("engine-socket", f"{path} is not there", "start the engine (scripts/engine does, as root)"),)
    except OSError as error:
        return (fault("engine-socket", f"{path}: {error.strerror}", "have the folder above it opened to you"),)
    if not stat.S_ISSOCK(mode.st_mode):
        return (fault("engine-socket", f"{path} is not a socket", "correct DOCKER_HOST"),)
    if not os.access(path, os.R_OK | os.W_OK):
        text = f"you may not use {path} (owner {mode.st_uid}, group {mode.st_gid}, mode {stat.S_IMODE(mode.st_mode):o})"
        remedy = "have yourself added to that group and log in again, or use a rootless engine"
        return (fault("engine-socket", text, remedy),)
    if mode.st_mode & stat.S_IWOTH:
        text = f"everybody on this machine may use {path}, which is as good as being root"
        return (warning("engine-socket", text, f"as root: chmod o-rw {path}"),)
    return (ok("engine-socket", f"{path} is yours to use (mode {stat.S_IMODE(mode.st_mode):o})"),)


def _writable(what: str, path: Path) -> tuple[Finding, ...]:
    existing = nearest_existing(path)
    if not existing.is_dir():
        remedy = "choose another with --results-dir, or the cache directory setting"
        return (fault("folders", f"{what} {path}: {existing} is not a folder", remedy),)
    if not os.access(existing, os.W_OK | os.X_OK):
        remedy = "choose another with --results-dir, or the cache directory setting; or have it opened to you"
        return (fault("folders", f"{what} {path}: you may not write in {existing}", remedy),)
    return (ok("folders", f"{what} {path}" + ("" if path.exists() else " (will be made)")),)


def _disks(around: Surroundings, info: EngineInfo | None) -> Iterator[tuple[str, Disk, int]]:
    yield "cache directory", disk(around.cache_dir), _CACHE_WANTS_BYTES
    yield "results directory", disk(around.results_dir), _RESULTS_WANT_BYTES
    here = info is not None and info.endpoint.startswith("unix://")
    if here and info is not None and info.data_root is not None and info.data_root.exists():
        yield "images of the engine", disk(info.data_root), _ENGINE_WANTS_BYTES
