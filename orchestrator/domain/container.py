"""What a container is asked to do and what became of it. Knows no engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath

OWNER_LABEL = "mlperf-docker.owner"
RUN_LABEL = "mlperf-docker.run"
AS_CALLER = "user 0, as you are"


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
    DEVICES = "devices"
    PRIVILEGED = "privileged"
    JOIN = "join"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A host folder or file shown inside: `source` on the host, `target` in the container.

    `create`: the controller makes the folder, belonging to the caller, before the container starts.
    """

    source: Path
    target: PurePosixPath
    read_only: bool = True
    create: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Resource limits; None leaves the engine's default. `cpuset` is a list such as `0-3,8`.

    `ulimits` are (name, soft, hard), -1 for unlimited.
    """

    memory_bytes: int | None = None
    cpuset: str | None = None
    pids: int | None = None
    shm_bytes: int | None = None
    ulimits: tuple[tuple[str, int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """Everything an engine needs to start one container; argument vectors only.

    `image` is a reference until the image phase replaces it by the id that the engine holds (for the native engine:
    the folder of the private virtual environment). `gpus`: `all`, or identifiers. `devices` are paths on the host,
    `groups` names or numbers of supplementary groups. `joins` names the service whose network this container shares
    (in a plan: the execution's name; when it starts: the engine's id of that container); `network` is then not used.
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
    privileged: bool = False
    ipc_host: bool = False
    security_options: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    runtime: str | None = None
    hostname: str | None = None
    joins: str | None = None
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


def grants(spec: ContainerSpec) -> tuple[str, ...]:
    """What a container is given beyond the least, in words: what a tier of privileges means, shown before use."""
    said = {
        "privileged mode": spec.privileged,
        "the host's IPC namespace": spec.ipc_host,
        f"the {spec.network.value} network": spec.network is not Network.NONE and spec.joins is None,
        f"capabilities {', '.join(spec.add_capabilities)}": bool(spec.add_capabilities),
        "the engine's default capabilities": not spec.drop_capabilities and not spec.privileged,
        f"security options {', '.join(spec.security_options)}": bool(spec.security_options),
        f"devices {', '.join(spec.devices)}": bool(spec.devices),
        f"groups {', '.join(spec.groups)}": bool(spec.groups),
        f"runtime {spec.runtime}": spec.runtime is not None,
        f"GPUs {', '.join(spec.gpus)}": bool(spec.gpus),
        "a writable root file system": not spec.read_only_root,
        "the image's own user": spec.user is None,
        AS_CALLER: spec.user is not None and spec.user[0] == 0,
    }
    return tuple(text for text, is_so in said.items() if is_so)


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
        Capability.DEVICES: bool(spec.devices or spec.groups or spec.runtime),
        Capability.PRIVILEGED: spec.privileged or spec.ipc_host or bool(spec.security_options or spec.limits.ulimits),
        Capability.JOIN: spec.joins is not None,
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
