"""What a container is asked to do and what became of it. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

OWNER_LABEL = "mlperf-docker.owner"
RUN_LABEL = "mlperf-docker.run"


class Network(StrEnum):
    """Network of a container; the measuring one has none unless its implementation declares the need."""

    NONE = "none"
    BRIDGE = "bridge"
    HOST = "host"


class Capability(StrEnum):
    """What an engine can enforce; the conformance suite proves each one that it declares."""

    IMAGES = "images"
    NETWORK_NONE = "network_none"
    READ_ONLY_MOUNTS = "read_only_mounts"
    READ_ONLY_ROOT = "read_only_root"
    MEMORY_LIMIT = "memory_limit"
    CPUSET = "cpuset"
    PIDS_LIMIT = "pids_limit"
    SHM_SIZE = "shm_size"
    USER_MAPPING = "user_mapping"
    DROP_CAPABILITIES = "drop_capabilities"
    PTRACE = "ptrace"
    GPU = "gpu"
    OOM_REPORT = "oom_report"
    INTERACTIVE = "interactive"
    LABELS = "labels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host folder or file shown inside: `source` on the host, `target` in the container."""

    source: Path
    target: PurePosixPath
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits; None leaves the engine's default. `cpuset` is a list such as `0-3,8`."""

    memory_bytes: int | None = None
    cpuset: str | None = None
    pids: int | None = None
    shm_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything an engine needs to start one container; argument vectors only.

    `image` is a reference until the image phase replaces it by the id that the engine holds (for the native engine:
    the folder of the private virtual environment). `gpus`: `all`, or identifiers.
    """

    image: str
    command: tuple[str, ...]
    mounts: tuple[Mount, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    user: tuple[int, int] | None = None
    workdir: PurePosixPath = PurePosixPath("/")
    network: Network = Network.NONE
    limits: Limits = Limits()
    read_only_root: bool = True
    tmpfs: tuple[PurePosixPath, ...] = (PurePosixPath("/tmp"),)  # noqa: S108 - inside the container
    drop_capabilities: bool = True
    add_capabilities: tuple[str, ...] = ()
    gpus: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    interactive: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """How a container ended, read back from the engine. Times are UNIX seconds.

    `code` is the main process's status (128+n for signal n); `oom_killed` is true also when only a child was killed.
    """

    code: int
    oom_killed: bool = False
    timed_out: bool = False
    started_s: float = 0.0
    finished_s: float = 0.0
    peak_memory_bytes: int | None = None
    image_id: str | None = None
    warnings: tuple[str, ...] = ()


class Outcome(StrEnum):
    """Whose fault an exit was."""

    DONE = "done"
    FAILED = "the harness failed"
    OUT_OF_MEMORY = "killed for memory"
    TIMED_OUT = "ran past its time limit"
    NOT_FOUND = "the command was not found in the image"
    NOT_EXECUTABLE = "the command is not executable"
    KILLED = "killed by a signal"


def outcome(exit_: Exit) -> Outcome:
    """Tell the kinds of an exit apart; memory first, since an engine reports it with any exit code."""
    if exit_.oom_killed:
        return Outcome.OUT_OF_MEMORY
    if exit_.timed_out:
        return Outcome.TIMED_OUT
    match exit_.code:
        case 0:
            return Outcome.DONE
        case 126:
            return Outcome.NOT_EXECUTABLE
        case 127:
            return Outcome.NOT_FOUND
        case code if code > 128:
            return Outcome.KILLED
        case _:
            return Outcome.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """What an engine says of itself. `data_root` is where its images lie (for the disk preflight)."""

    name: str
    version: str
    endpoint: str
    platform: str
    capabilities: frozenset[Capability]
    data_root: Path | None = None
    cgroup_version: str | None = None
    rootless: bool = False
    notes: tuple[str, ...] = ()
    hard_limits: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """Whether an engine may carry a container.

    `refused` names what it would have to enforce and cannot, `marks` what it weakens.
    """

    refused: tuple[str, ...]
    marks: tuple[str, ...]


def admit(spec: ContainerSpec, capabilities: frozenset[Capability]) -> Admission:
    """Compare what a container needs with what an engine enforces; nothing is ever silently weakened.

    Limits, GPUs, ptrace and interactive use that were asked for must be enforced. Isolation that we choose by default
    (no network, read-only mounts and root, dropped capabilities) is marked on the record where it is not.
    """
    must = {
        Capability.MEMORY_LIMIT: spec.limits.memory_bytes is not None,
        Capability.CPUSET: spec.limits.cpuset is not None,
        Capability.PIDS_LIMIT: spec.limits.pids is not None,
        Capability.SHM_SIZE: spec.limits.shm_bytes is not None,
        Capability.GPU: bool(spec.gpus),
        Capability.PTRACE: "SYS_PTRACE" in spec.add_capabilities,
        Capability.INTERACTIVE: spec.interactive,
    }
    should = {
        Capability.NETWORK_NONE: spec.network is Network.NONE,
        Capability.READ_ONLY_MOUNTS: any(mount.read_only for mount in spec.mounts),
        Capability.READ_ONLY_ROOT: spec.read_only_root,
        Capability.DROP_CAPABILITIES: spec.drop_capabilities,
        Capability.USER_MAPPING: spec.user is not None,
        Capability.OOM_REPORT: True,
    }
    return Admission(refused=_lacking(must, capabilities), marks=_lacking(should, capabilities))


def _lacking(needs: Mapping[Capability, bool], capabilities: frozenset[Capability]) -> tuple[str, ...]:
    return tuple(need.value for need, needed in needs.items() if needed and need not in capabilities)
