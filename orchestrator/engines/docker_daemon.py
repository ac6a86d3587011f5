"""What a Docker-compatible daemon can really enforce, from its own account and from its process. Changes nothing."""

from __future__ import annotations

import shutil
import socket
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.container import Capability, EngineInfo
from orchestrator.engines.docker_request import CDI_VENDOR

_ALWAYS = frozenset(
    {
        Capability.IMAGES,
        Capability.NETWORK_NONE,
        Capability.READ_ONLY_MOUNTS,
        Capability.READ_ONLY_ROOT,
        Capability.SHM_SIZE,
        Capability.DROP_CAPABILITIES,
        Capability.PTRACE,
        Capability.INTERACTIVE,
        Capability.LABELS,
        Capability.DEVICES,
        Capability.PRIVILEGED,
        Capability.JOIN,
    }
)
_LIMITS = {"nofile": "Max open files", "memlock": "Max locked memory", "nproc": "Max processes"}
_SYS_RESOURCE_BIT = 24
_GPU_HOOK = "nvidia-container-runtime-hook"
_GPU_DRIVER = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True, kw_only=True)
class DaemonProcess:
    """The daemon as a process of this machine: its hard limits, and whether it may raise them."""

    hard_limits: tuple[tuple[str, str], ...] = ()
    may_raise_limits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuSupport:
    """How a GPU could be handed to a container: through a runtime or hook, or by CDI names; neither: not at all."""

    runtime: bool = False
    cdi: bool = False


def describe(
    info: Mapping[str, object], version: Mapping[str, object], *, endpoint: str, process: DaemonProcess, gpu: GpuSupport
) -> EngineInfo:
    """The daemon's `/info` and `/version` as our EngineInfo; only what it enforces becomes a capability."""
    components = {str(part.get("Name", "")): part for part in _mappings(version.get("Components"))}
    podman = any("podman" in name.lower() for name in components)
    rootless = any("rootless" in option for option in _texts(info.get("SecurityOptions")))
    cgroup = str(info.get("CgroupVersion") or "1")
    limited = info.get("CgroupDriver") != "none" and not (rootless and cgroup == "1")
    notes = [] if limited else ["limits of memory, processors and processes are not enforced (rootless or no cgroups)"]
    if not process.may_raise_limits:
        bounds = ", ".join(f"{name} {value}" for name, value in process.hard_limits)
        notes.append(f"the daemon lacks CAP_SYS_RESOURCE: limits above its own are refused ({bounds})")
    return EngineInfo(
        name="podman" if podman else "docker",
        version=str(info.get("ServerVersion") or version.get("Version") or "unknown"),
        endpoint=endpoint,
        platform=f"{version.get('Os', 'linux')}/{version.get('Arch', 'unknown')}",
        capabilities=_capabilities(info, podman=podman, limited=limited, gpu=gpu),
        data_root=Path(str(info["DockerRootDir"])) if info.get("DockerRootDir") else None,
        cgroup_version=cgroup,
        rootless=rootless,
        notes=(*notes, *_texts(info.get("Warnings"))),
        hard_limits=process.hard_limits,
    )


def _capabilities(info: Mapping[str, object], *, podman: bool, limited: bool, gpu: GpuSupport) -> frozenset[Capability]:
    remapped = any("name=userns" in option for option in _texts(info.get("SecurityOptions")))
    found = {
        Capability.MEMORY_LIMIT: limited and bool(info.get("MemoryLimit")),
        Capability.CPUSET: limited and bool(info.get("CPUSet")),
        Capability.PIDS_LIMIT: limited and bool(info.get("PidsLimit")),
        Capability.OOM_REPORT: limited and bool(info.get("MemoryLimit")) and not podman,
        Capability.USER_MAPPING: not remapped,
        Capability.GPU: gpu.cdi or (gpu.runtime and not podman),  # Podman ignores the request of a GPU and succeeds
    }
    return _ALWAYS | {capability for capability, there in found.items() if there}


def gpu_support(info: Mapping[str, object], *, local: bool) -> GpuSupport:
    """Whether the daemon has the means; on this machine the driver must be there too."""
    if local and not _GPU_DRIVER.exists():
        return GpuSupport()
    runtimes = info.get("Runtimes")
    named = isinstance(runtimes, Mapping) and "nvidia" in runtimes
    devices = (str(device.get("ID", "")) for device in _mappings(info.get("DiscoveredDevices")))
    return GpuSupport(
        runtime=named or (local and shutil.which(_GPU_HOOK) is not None),
        cdi=any(device.startswith(CDI_VENDOR) for device in devices),
    )


def local_socket(endpoint: str) -> Path | None:
    """The socket's path when the daemon is one of this machine."""
    return Path(endpoint.removeprefix("unix://")) if endpoint.startswith("unix://") else None


def daemon_process(path: Path, proc: Path = Path("/proc")) -> DaemonProcess:
    """The process behind a local socket; nothing known of it when it listens through another (socket activation)."""
    pid = _listener(path)
    try:
        if pid is None or (proc / str(pid) / "comm").read_text().strip() not in {"dockerd", "podman"}:
            return DaemonProcess()
        limits = (proc / str(pid) / "limits").read_text().splitlines()
        status = (proc / str(pid) / "status").read_text()
    except OSError:
        return DaemonProcess()
    effective = next((line.split()[1] for line in status.splitlines() if line.startswith("CapEff:")), "0")
    return DaemonProcess(
        hard_limits=tuple(
            (name, line.removeprefix(title).split()[1])
            for name, title in _LIMITS.items()
            for line in limits
            if line.startswith(title)
        ),
        may_raise_limits=bool(int(effective, 16) >> _SYS_RESOURCE_BIT & 1),
    )


def _listener(path: Path) -> int | None:
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            raw = probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        except OSError:
            return None
    pid: int = struct.unpack("3i", raw)[0]
    return pid or None


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _mappings(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()
