"""Judge a described machine as a place to measure on. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.domain.finding import Finding, fault, note, ok, warning
from orchestrator.host.disks import Disk
from orchestrator.host.machine import Machine

_SCARCE_MEMORY_BYTES = 2 << 30
_SCARCE_DISK_BYTES = 256 << 20
_NOISE_PER_CPU = 0.25  # share of the usable processors that others may keep busy before figures suffer
_SWAP_NOISE_BYTES = 64 << 20


def machine_findings(machine: Machine, environment: Mapping[str, str]) -> tuple[Finding, ...]:
    """Processors, memory, clocks, noise and this Python, in that order."""
    return (
        _cores(machine),
        *_quota(machine),
        _governor(machine),
        _load(machine),
        _memory(machine),
        _swap(machine),
        _hypervisor(machine),
        _clock(machine),
        _bytecode(environment),
    )


def disk_findings(wanted: Iterable[tuple[str, Disk, int]]) -> tuple[Finding, ...]:
    """One finding for each file system; `wanted` has what a place is for, its disk, and the bytes it should have free.

    Places on one file system share its free bytes, so their needs are added up.
    """
    places = tuple(wanted)
    by_device: dict[str, list[tuple[str, Disk, int]]] = {}
    for place in places:
        by_device.setdefault(place[1].device, []).append(place)
    shared = tuple(_space(group) for group in by_device.values())
    return shared + tuple(found for what, disk, _ in places for found in _kind(what, disk))


def _space(group: list[tuple[str, Disk, int]]) -> Finding:
    whole = ", ".join(f"{what} ({disk.path})" for what, disk, _ in group)
    free, need = group[0][1].free_bytes, sum(bytes_ for _, _, bytes_ in group)
    text = f"{gib(free)} free of {gib(group[0][1].total_bytes)} for {whole}"
    remedy = (
        "free space there, or choose another place with --results-dir, the cache directory setting, "
        "or the engine's own data root"
    )
    if free < _SCARCE_DISK_BYTES:
        return fault("disk", text, remedy)
    return warning("disk", f"{text}; the small suite wants {gib(need)}", remedy) if free < need else ok("disk", text)


def _kind(what: str, disk: Disk) -> tuple[Finding, ...]:
    if disk.in_memory:
        text = (
            f"{what} ({disk.path}) lies in main memory ({disk.kind}): it takes memory from runs and goes at a restart"
        )
        return (warning("disk", text, "choose a place on a disk"),)
    if disk.on_network:
        text = f"{what} ({disk.path}) lies on a network file system ({disk.kind})"
        return (note("disk", text, "for a shared cache that is meant so; logs are quicker on a local disk"),)
    return ()


def _cores(machine: Machine) -> Finding:
    present, usable = machine.processors, machine.usable_cpus
    text = (
        f"{present.model_name or 'processor of unknown model'}: {usable.count} of {present.threads} threads usable"
        f" ({present.cores or 'unknown'} cores, {present.processors_per_node or 'unknown'} sockets)"
    )
    if usable.count < present.threads:
        return note("processors", text, "affinity, cpuset or quota hold the rest back; start from a shell without them")
    return ok("processors", text)


def _quota(machine: Machine) -> tuple[Finding, ...]:
    quota = machine.usable_cpus.quota_cpus
    if quota is None:
        return ()
    text = f"a control group grants {quota:g} processors of time: when it is used up, all threads stand still"
    return (warning("processor-quota", text, "have the quota lifted, or bind to processors (a cpuset) instead"),)


def _governor(machine: Machine) -> Finding:
    governors = machine.frequency.governors
    if not governors:
        remedy = "nothing to be done in a virtual machine; else see the frequency settings of the firmware"
        return note("governor", "frequency governor unknown: the kernel shows none", remedy)
    text = f"frequency governor: {', '.join(governors)}"
    if governors == ("performance",):
        return ok("governor", text)
    return warning("governor", text, "as root, before measuring: cpupower frequency-set -g performance")


def _load(machine: Machine) -> Finding:
    if machine.load is None:
        return note("load", "load unknown: /proc/loadavg cannot be read", "see what else runs here before measuring")
    now, cpus = machine.load.one_minute, machine.usable_cpus.count
    text = f"load {now:g} over one minute on {cpus} usable processors"
    if now > max(_NOISE_PER_CPU * cpus, _NOISE_PER_CPU):
        return warning("load", text, "something else runs here: wait until it is done, or figures will be too low")
    return ok("load", text)


def _memory(machine: Machine) -> Finding:
    found = machine.memory
    free = min(found.available_bytes, found.limit_bytes or found.available_bytes)
    limit = f", limited to {gib(found.limit_bytes)} by a control group" if found.limit_bytes else ""
    text = f"{gib(found.available_bytes)} available of {gib(found.capacity_bytes)}{limit}"
    if free < _SCARCE_MEMORY_BYTES:
        return warning("memory", text, "end other programs, or raise the limit: a run that is killed for memory fails")
    return ok("memory", text)


def _swap(machine: Machine) -> Finding:
    found = machine.memory
    text = f"{gib(found.swap_used_bytes)} of {gib(found.swap_total_bytes)} swap in use"
    if found.swap_used_bytes > _SWAP_NOISE_BYTES:
        return warning("swap", text, "end what holds the memory; as root, swapoff -a brings it all back into memory")
    return ok("swap", text if found.swap_total_bytes else "no swap")


def _hypervisor(machine: Machine) -> Finding:
    if machine.hypervisor:
        text = "a virtual machine: its neighbours share the hardware, and clock rates are not its own"
        return note("hypervisor", text, "good for trying; repeat a measurement before you believe a small difference")
    return ok("hypervisor", "no hypervisor")


def _clock(machine: Machine) -> Finding:
    if machine.clock_synchronised:
        return ok("clock", "the clock is synchronised")
    doubt = "not synchronised" if machine.clock_synchronised is False else "of unknown state"
    text = f"the kernel counts its clock as {doubt} (a virtual machine's host may keep it right all the same)"
    return note("clock", text, "run an NTP service (chrony, systemd-timesyncd); power measurements need one")


def _bytecode(environment: Mapping[str, str]) -> Finding:
    if environment.get("PYTHONDONTWRITEBYTECODE"):
        text = "PYTHONDONTWRITEBYTECODE is set: a source checkout is compiled anew at every start"
        return note("bytecode", text, "unset it, or compile once: python -m compileall -q orchestrator")
    return ok("bytecode", "compiled Python code is kept")


def gib(bytes_: int) -> str:
    """Bytes for people: GiB from 1 GiB on, else MiB."""
    return f"{bytes_ / 2**30:.1f} GiB" if bytes_ >= 2**30 else f"{bytes_ / 2**20:.0f} MiB"
