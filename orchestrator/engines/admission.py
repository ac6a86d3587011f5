"""Refuse a container that an engine cannot carry faithfully, by name and with a remedy, before anything starts."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.domain.container import Capability, ContainerSpec, Mount, admit
from orchestrator.errors import EngineError, UsageError

_REMEDIES = {
    Capability.MEMORY_LIMIT.value: "leave the memory limit out, or use an engine that has memory cgroups",
    Capability.CPUSET.value: "leave the processor set out, or use an engine that has cpuset cgroups",
    Capability.PIDS_LIMIT.value: "leave the limit of processes out, or use an engine that has pids cgroups",
    Capability.SHM_SIZE.value: "use --engine docker, or enlarge /dev/shm on this machine",
    Capability.GPU.value: "install the GPU's driver and container toolkit and restart the engine, or use --device cpu",
    Capability.PTRACE.value: "use --engine docker, or allow tracing (kernel.yama.ptrace_scope)",
    Capability.INTERACTIVE.value: "use --engine docker",
    Capability.DEVICES.value: "use --engine docker, which can hand devices to a container",
    Capability.PRIVILEGED.value: "use --engine docker, or --privileges minimal",
}


def require(spec: ContainerSpec, capabilities: frozenset[Capability], engine: str) -> None:
    """EngineError that names each capability the container needs and the engine lacks."""
    refused = admit(spec, capabilities).refused
    if refused:
        raise EngineError(
            f"the {engine} engine cannot enforce here: {', '.join(refused)}",
            hint="; ".join(_REMEDIES.get(need, "use another engine") for need in refused),
        )


def require_sources(mounts: Iterable[Mount]) -> None:
    """EngineError that names the first mount whose host side is not there; engines would create it, as root."""
    for mount in mounts:
        if not mount.source.is_absolute():
            raise EngineError(f"cannot mount {mount.source}: the path on the host is not absolute")
        try:
            mount.source.stat()
        except OSError as error:
            raise EngineError(
                f"cannot mount {mount.source} at {mount.target}: {error.strerror}",
                hint="check the path; it is never created for you",
            ) from error


def require_terminal(is_terminal: bool) -> None:
    """UsageError when there is no terminal to be interactive on."""
    if not is_terminal:
        raise UsageError("an interactive shell needs a terminal, and standard input or output is none")
