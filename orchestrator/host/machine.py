"""Describe the machine we run on, cheaply, from /proc and /sys. Judges nothing (the doctor does) and changes nothing.

Every function takes the root folder to read below, so that recorded machines can be described as well.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from orchestrator.host.accelerators import Accelerators, accelerators
from orchestrator.host.cgroups import GroupLimits, group_limits
from orchestrator.host.disks import Disk, disk
from orchestrator.host.kernel_files import REAL_ROOT, children, colon_fields, number, numbers_in_list, read

MACHINE_SCHEMA = 1
IMAGE_ARCHITECTURES = MappingProxyType({"x86_64": "amd64", "aarch64": "arm64"})

# Instruction sets that decide which kernels an inference runtime takes, hence speed and the last digits of results.
_TELLING_X86 = re.compile(r"sse4_2|fma|f16c|avx\w*|amx_\w+")
_TELLING_ARM = re.compile(r"asimd\w*|sve\w*|sme\w*|bf16|i8mm|fphp")
# Arm's cores name themselves by number only: (implementer, part).
_ARM_PARTS = {
    ("0x41", "0xd08"): "Arm Cortex-A72",
    ("0x41", "0xd0b"): "Arm Cortex-A76",
    ("0x41", "0xd42"): "Arm Cortex-A78AE",
    ("0x41", "0xd0c"): "Arm Neoverse-N1",
    ("0x41", "0xd40"): "Arm Neoverse-V1",
    ("0x41", "0xd49"): "Arm Neoverse-N2",
    ("0x41", "0xd4f"): "Arm Neoverse-V2",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Processors:
    """The processors present: sockets, cores and hardware threads of the whole node. Unknown is None.

    `instruction_sets` are the kernel's own names; `caches` are those of the first processor thread.
    """

    model_name: str | None
    architecture: str
    processors_per_node: int | None
    cores: int | None
    threads: int
    numa_nodes: int | None
    max_frequency_mhz: int | None
    caches: tuple[str, ...]
    instruction_sets: tuple[str, ...]
    microcode: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableCpus:
    """What of them this process may use: `allowed` threads by affinity and cpuset, and `quota_cpus` of time.

    `count` is the number of threads worth starting: whole processors of the tighter of the two, at least 1.
    """

    allowed: tuple[int, ...]
    quota_cpus: float | None
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Main memory and swap; `limit_bytes` is the control group's limit where it is tighter than what is there."""

    capacity_bytes: int
    available_bytes: int
    limit_bytes: int | None
    swap_total_bytes: int
    swap_used_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Frequency:
    """How clock rates are chosen; empty and None where the kernel does not say (in virtual machines, mostly)."""

    governors: tuple[str, ...]
    driver: str | None
    turbo: bool | None
    smt: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Mean number of runnable tasks over 1, 5 and 15 minutes."""

    one_minute: float
    five_minutes: float
    fifteen_minutes: float


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingSystem:
    """Distribution (its pretty name), kernel release, C library of this Python."""

    operating_system: str | None
    kernel: str | None
    libc: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What the machine was: the content of a run directory's system.json."""

    schema_version: int = MACHINE_SCHEMA
    node: str | None
    product: str | None
    hypervisor: bool
    in_container: bool
    processors: Processors
    usable_cpus: UsableCpus
    memory: Memory
    frequency: Frequency
    load: Load | None
    limits: GroupLimits
    disks: tuple[Disk, ...]
    os: OperatingSystem
    accelerators: Accelerators
    clock_synchronised: bool | None
    python: str


def describe_machine(root: Path = REAL_ROOT, *, paths: Iterable[Path] = ()) -> Machine:
    """The machine below `root`, with the file systems of `paths`. Takes milliseconds, unless nvidia-smi is asked."""
    cpuinfo = read(root, "proc/cpuinfo") or ""
    limits = group_limits(root)
    return Machine(
        node=read(root, "proc/sys/kernel/hostname"),
        product=_product(root),
        hypervisor=_under_hypervisor(root, cpuinfo),
        in_container=any((root / mark).exists() for mark in (".dockerenv", "run/.containerenv")),
        processors=processors(root, cpuinfo),
        usable_cpus=cpu_share(root, limits),
        memory=memory(root, limits),
        frequency=frequency(root),
        load=load(root),
        limits=limits,
        disks=tuple(disk(path, root) for path in paths),
        os=operating_system(root),
        accelerators=accelerators(root),
        clock_synchronised=clock_synchronised() if root == REAL_ROOT else None,
        python=".".join(str(part) for part in sys.version_info[:3]),
    )


def processors(root: Path = REAL_ROOT, cpuinfo: str | None = None) -> Processors:
    """Model, sockets, cores and threads that are online. `cpuinfo`: its text where the caller has it already."""
    blocks = _blocks(cpuinfo if cpuinfo is not None else read(root, "proc/cpuinfo") or "")
    first = blocks[0] if blocks else {}
    places = _places(root, blocks)
    max_khz = number(root, "sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq")
    nodes = read(root, "sys/devices/system/node/online")
    return Processors(
        model_name=_model_name(first),
        architecture=architecture(root),
        processors_per_node=len({socket for socket, _ in places}) or None,
        cores=len(places) or None,
        threads=max(len(blocks), 1),
        numa_nodes=len(numbers_in_list(nodes)) if nodes else None,
        max_frequency_mhz=max_khz // 1000 if max_khz else None,
        caches=_caches(root),
        instruction_sets=_instruction_sets(first),
        microcode=first.get("microcode"),
    )


def architecture(root: Path = REAL_ROOT) -> str:
    """The kernel's word for the processors: `x86_64`, `aarch64`."""
    return read(root, "proc/sys/kernel/arch") or os.uname().machine


def platform_name(root: Path = REAL_ROOT) -> str:
    """The platform of images that run here without emulation: `linux/amd64`, `linux/arm64`."""
    return f"linux/{IMAGE_ARCHITECTURES.get(architecture(root), architecture(root))}"


def _blocks(cpuinfo: str) -> tuple[dict[str, str], ...]:
    blocks = (colon_fields(block) for block in cpuinfo.split("\n\n"))
    return tuple(block for block in blocks if block.get("processor", "").isdigit())


def _model_name(block: dict[str, str]) -> str | None:
    by_number = (block.get("CPU implementer", ""), block.get("CPU part", ""))
    return (
        block.get("model name")
        or _ARM_PARTS.get(by_number)
        or (f"Arm implementer {by_number[0]} part {by_number[1]}" if all(by_number) else None)
        or block.get("cpu")
        or block.get("uarch")
    )


def _instruction_sets(block: dict[str, str]) -> tuple[str, ...]:
    x86 = (flag for flag in block.get("flags", "").split() if _TELLING_X86.fullmatch(flag))
    arm = (flag for flag in block.get("Features", "").split() if _TELLING_ARM.fullmatch(flag))
    return (*x86, *arm)


def _places(root: Path, blocks: tuple[dict[str, str], ...]) -> frozenset[tuple[str, str]]:
    """(socket, core) of every thread; from cpuinfo where it tells, else from sysfs."""
    if blocks and all("physical id" in block and "core id" in block for block in blocks):
        return frozenset((block["physical id"], block["core id"]) for block in blocks)
    found: set[tuple[str, str]] = set()
    for block in blocks:
        folder = f"sys/devices/system/cpu/cpu{block['processor']}/topology"
        socket, core = read(root, f"{folder}/physical_package_id"), read(root, f"{folder}/core_id")
        if socket is not None and core is not None:
            found.add((socket, core))
    return frozenset(found)


def _caches(root: Path) -> tuple[str, ...]:
    found: list[str] = []
    for folder in children(root, "sys/devices/system/cpu/cpu0/cache", "index*"):
        level, kind, size = (read(folder, name) for name in ("level", "type", "size"))
        if level and size:
            letter = {"Data": "d", "Instruction": "i"}.get(kind or "", "")
            found.append(f"L{level}{letter} {size}")
    return tuple(found)


def usable_cpus() -> int:
    """How many threads of computation are worth starting on this machine."""
    return cpu_share().count


def cpu_share(root: Path = REAL_ROOT, limits: GroupLimits | None = None) -> UsableCpus:
    """Which part of the processors this process may use."""
    found = limits if limits is not None else group_limits(root)
    status = colon_fields(read(root, "proc/self/status") or "")
    allowed = set(numbers_in_list(status.get("Cpus_allowed_list", "")))
    if not allowed:
        allowed = set(range(os.cpu_count() or 1))
    if found.cpuset:
        allowed = allowed & set(numbers_in_list(found.cpuset)) or allowed
    whole = int(found.quota_cpus) if found.quota_cpus is not None else len(allowed)
    return UsableCpus(
        allowed=tuple(sorted(allowed)), quota_cpus=found.quota_cpus, count=max(1, min(whole, len(allowed)))
    )


def memory(root: Path = REAL_ROOT, limits: GroupLimits | None = None) -> Memory:
    """Bytes present, available without swapping, and the control group's limit."""
    found = limits if limits is not None else group_limits(root)
    told = colon_fields(read(root, "proc/meminfo") or "")

    def bytes_of(name: str) -> int:
        kibibytes = told.get(name, "").removesuffix("kB").strip()
        return int(kibibytes) * 1024 if kibibytes.isdigit() else 0

    capacity = bytes_of("MemTotal")
    limit = found.memory_bytes if found.memory_bytes is not None and found.memory_bytes < capacity else None
    return Memory(
        capacity_bytes=capacity,
        available_bytes=bytes_of("MemAvailable") or bytes_of("MemFree"),
        limit_bytes=limit,
        swap_total_bytes=bytes_of("SwapTotal"),
        swap_used_bytes=bytes_of("SwapTotal") - bytes_of("SwapFree"),
    )


def frequency(root: Path = REAL_ROOT) -> Frequency:
    """Governors in force (each named once), boost and simultaneous multithreading."""
    cpus = "sys/devices/system/cpu"
    policies = children(root, f"{cpus}/cpufreq", "policy*")
    governors = {text for policy in policies if (text := read(policy, "scaling_governor"))}
    no_turbo, boost = number(root, f"{cpus}/intel_pstate/no_turbo"), number(root, f"{cpus}/cpufreq/boost")
    smt = read(root, f"{cpus}/smt/active")
    return Frequency(
        governors=tuple(sorted(governors)),
        driver=read(policies[0], "scaling_driver") if policies else None,
        turbo=no_turbo == 0 if no_turbo is not None else (boost == 1 if boost is not None else None),
        smt=smt == "1" if smt is not None else None,
    )


def load(root: Path = REAL_ROOT) -> Load | None:
    """The load averages, or None where they cannot be read."""
    words = (read(root, "proc/loadavg") or "").split()[:3]
    try:
        one, five, fifteen = (float(word) for word in words)
    except ValueError:
        return None
    return Load(one_minute=one, five_minutes=five, fifteen_minutes=fifteen)


def operating_system(root: Path = REAL_ROOT) -> OperatingSystem:
    """Names and versions of what runs below us."""
    text = read(root, "etc/os-release") or read(root, "usr/lib/os-release") or ""
    fields = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    try:
        libc = os.confstr("CS_GNU_LIBC_VERSION")
    except (ValueError, OSError):
        libc = None
    return OperatingSystem(
        operating_system=fields.get("PRETTY_NAME", "").strip("\"'") or None,
        kernel=read(root, "proc/sys/kernel/osrelease"),
        libc=libc,
    )


def clock_synchronised() -> bool | None:
    """Whether the kernel counts its clock as synchronised (adjtimex, asked without changing it); None if it won't say.

    A virtual machine whose host keeps its time may well say no.
    """
    import ctypes

    state_error = 5
    try:
        state = int(ctypes.CDLL(None).adjtimex(ctypes.byref(ctypes.create_string_buffer(512))))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != state_error


def _product(root: Path) -> str | None:
    dmi = "sys/class/dmi/id"
    words = [read(root, f"{dmi}/sys_vendor"), read(root, f"{dmi}/product_name")]
    return " ".join(word for word in words if word) or (read(root, "proc/device-tree/model") or "").rstrip("\0") or None


def _under_hypervisor(root: Path, cpuinfo: str) -> bool:
    flags = colon_fields(cpuinfo.partition("\n\n")[0]).get("flags", "").split()
    if "hypervisor" in flags or (root / "sys/hypervisor/type").exists():
        return True
    product = (_product(root) or "").lower()
    return "metal" not in product and any(
        name in product for name in ("qemu", "kvm", "virtual", "vmware", "xen", "amazon ec2", "google compute")
    )
