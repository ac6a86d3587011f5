"""NVIDIA's harness on systems it does not know: which shipped profile to start from, and the files that say so. Pure.

Up to v5.0 a system is registered by the vendor's own script, and configured by `configs/BENCHMARK/SCENARIO/custom.py`;
since v5.1 it is a folder `configs/SYSTEM/SCENARIO/BENCHMARK.py` and a description `systems/SYSTEM.json`.
"""

from __future__ import annotations

import json
import keyword
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.domain.situation import Gpu, Host, Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.errors import UsageError
from orchestrator.implementations.nvidia_arguments import benchmark_name, is_high_accuracy
from orchestrator.implementations.nvidia_rounds import CODES

_GIB = 1024**3
_LONGEST_HOSTNAME = 63  # docker's own bound, and one less than Makefile.docker cuts to
_LWIS = ("resnet50", "retinanet")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A GPU of NVIDIA's profiles: the stem of its profile names, words of its driver name, memory in GiB."""

    stem: str
    words: tuple[str, ...]
    gib: int


# Most telling words first; Grace systems keep their own stems.
_KNOWN = (
    _Known(stem="GB300", words=("gb300",), gib=288),
    _Known(stem="GB200", words=("gb200",), gib=186),
    _Known(stem="B200", words=("b200",), gib=180),
    _Known(stem="GH200_144GB_aarch64", words=("gh200", "144g"), gib=144),
    _Known(stem="GH200_96GB_aarch64", words=("gh200",), gib=96),
    _Known(stem="H200_SXM_141GB", words=("h200",), gib=141),
    _Known(stem="H100_NVL_94GB", words=("h100", "nvl"), gib=94),
    _Known(stem="H100_PCIe_80GB", words=("h100", "pcie"), gib=80),
    _Known(stem="H100_SXM_80GB", words=("h100",), gib=80),
    _Known(stem="A100_PCIe_80GB", words=("a100", "80gb", "pcie"), gib=80),
    _Known(stem="A100_SXM_80GB", words=("a100", "80gb"), gib=80),
    _Known(stem="A100_SXM4_40GB", words=("a100", "sxm4"), gib=40),
    _Known(stem="L40S", words=("l40s",), gib=48),
    _Known(stem="L40", words=("l40",), gib=48),
    _Known(stem="L4", words=("l4",), gib=24),
    _Known(stem="A30", words=("a30",), gib=24),
    _Known(stem="A2", words=("a2",), gib=16),
    _Known(stem="T4", words=("t4",), gib=16),
)
_PROFILE = re.compile(r"(?P<stem>.+?)(?:-[\w-]+)?x(?P<count>\d+)(?:_TRT)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The shipped profile to start from (None: the harness's base configuration), and why that one.

    `exact`: the machine is the profile's own.
    """

    name: str | None
    why: str
    exact: bool = False


def nearest_profile(spec: RunSpec, on: Situation) -> Profile:
    """The user's (`--set profile=NAME`), the machine's own, or the one whose GPU comes nearest by name, then memory."""
    shipped = tuple(on.offer.parameters.get(f"profiles.{spec.scenario.value}", "").split())
    asked = dict(spec.knobs.extra).get("profile")
    if asked is not None:
        if not re.fullmatch(r"[\w.-]+", asked):
            raise UsageError(f"--set profile={asked}: not the name of a profile", hint=f"shipped: {' '.join(shipped)}")
        return Profile(name=asked, why="it was asked for (--set profile)", exact=asked in shipped)
    if not shipped:
        return Profile(name=None, why=f"NVIDIA ships no profile of this benchmark for {spec.scenario.value} alone")
    gpus = on.host.gpus
    if not gpus:
        return Profile(name=_first(shipped), why="no GPU was detected here, so none can be nearer")
    known = _recognised(gpus[0])
    own = [name for name in shipped if known is not None and _parts(name)[0] == known.stem]
    same = [name for name in own if _parts(name)[1] == len(gpus)]
    title = f"{len(gpus)}x {gpus[0].name}"
    if same:
        return Profile(name=same[0], why=f"it is for this machine's GPUs ({title})", exact=True)
    if own:
        count = _parts(_closest_count(own, len(gpus)))[1]
        return Profile(name=_closest_count(own, len(gpus)), why=f"same GPU as {title}, {count} instead of {len(gpus)}")
    name, gib = _nearest_memory(shipped, gpus[0], len(gpus))
    return Profile(name=name, why=f"none is shipped for {title}; of the shipped ones its {gib} GiB come nearest")


def _recognised(gpu: Gpu) -> _Known | None:
    words = set(re.split(r"[^a-z0-9]+", gpu.name.lower()))
    return next((known for known in _KNOWN if words.issuperset(known.words)), None)


def _parts(profile: str) -> tuple[str, int]:
    found = _PROFILE.fullmatch(profile)
    if found is None:
        return profile, 1
    stem = found["stem"]
    return "B200" if stem.startswith("B200") else stem, int(found["count"])


def _gib_of(profile: str) -> int:
    stem = _parts(profile)[0]
    exact = next((known.gib for known in _KNOWN if known.stem == stem), None)
    named = re.search(r"(\d+)GB", profile)
    return exact or (int(named[1]) if named else 40)


def _first(shipped: tuple[str, ...]) -> str:
    return min(shipped, key=lambda name: (_gib_of(name), _parts(name)[1]))


def _closest_count(names: list[str], count: int) -> str:
    return min(names, key=lambda name: abs(_parts(name)[1] - count))


def _nearest_memory(shipped: tuple[str, ...], gpu: Gpu, count: int) -> tuple[str, int]:
    """Memory that is not larger wins: its batch sizes fit. Grace profiles are for Grace alone."""
    gib = (gpu.memory_bytes or 0) / _GIB
    pool = [name for name in shipped if "aarch64" not in name] or list(shipped)
    fitting = [name for name in pool if _gib_of(name) <= gib * 1.1]
    best = max(_gib_of(name) for name in fitting) if fitting else min(_gib_of(name) for name in pool)
    name = _closest_count([name for name in pool if _gib_of(name) == best], count)
    return name, best


def identifier(spec: RunSpec, on: Situation) -> str:
    """The system's name for the harness: up to v5.0 a Python identifier, afterwards a folder's name."""
    if not CODES[spec.round].registers:
        profile = nearest_profile(spec, on)
        if profile.exact and profile.name is not None:
            return profile.name
        return re.sub(r"[^\w.-]", "-", spec.system).strip("-.") or "system"
    name = re.sub(r"\W", "_", spec.system, flags=re.ASCII)
    return name if re.match(r"[A-Za-z]", name) and not keyword.iskeyword(name) else f"system_{name}"


def hostname(spec: RunSpec) -> str:
    """A host name that docker takes: no underscore, not longer than a label may be."""
    return re.sub(r"[^A-Za-z0-9-]", "-", spec.system)[:_LONGEST_HOSTNAME].strip("-") or "system"


def described(spec: RunSpec, on: Situation) -> str:
    """One sentence for a person: which system, from which shipped profile, and why."""
    profile, name = nearest_profile(spec, on), identifier(spec, on)
    start = profile.name or f"the base configuration of {benchmark_name(on)}"
    return f"system '{name}' starts from {start}: {profile.why}"


def configuration(spec: RunSpec, on: Situation) -> tuple[tuple[PurePosixPath, str], ...]:
    """Files below the harness's working folder that make it run on this system."""
    profile, name = nearest_profile(spec, on), identifier(spec, on)
    benchmark, scenario = benchmark_name(on), spec.scenario.value
    if CODES[spec.round].registers:
        path = PurePosixPath("configs", benchmark, scenario, "custom.py")
        return ((path, _custom_py(spec, on, profile, name)),)
    files = [(PurePosixPath("systems", f"{name}_TRT.json"), _system_json(spec, on.host))]
    if not profile.exact:
        path = PurePosixPath("configs", name, scenario, f"{benchmark}.py")
        files.append((path, _exports_py(spec, on, profile)))
    return tuple(files)


def _custom_py(spec: RunSpec, on: Situation, profile: Profile, name: str) -> str:
    """≤ v5.0: a class over the first shipped one that there is. A system the harness knows keeps its own profiles."""
    high, benchmark = is_high_accuracy(on), benchmark_name(on)
    named = [f"{profile.name}_HighAccuracy", f"{profile.name}_High_Accuracy"] if high and profile.name else []
    candidates = (*named, *([profile.name] if profile.name else []), f"{spec.scenario.value}GPUBaseConfig")
    harness = "LWIS" if benchmark in _LWIS else "Custom"
    target = "k_99_9" if high else "k_99"
    return f"""\
# Written by mlperf-docker: {described(spec, on)}.
# What RUN_ARGS names (batch sizes, streams, rates) stands above what is inherited here.
from . import *

_shipped = dict(globals())
_system = getattr(KnownSystem, {name!r}, None)
if _system is None:
    print("mlperf-docker: the harness knows this system; its own profile of it is used")
else:
    _base = next(_shipped[name] for name in {candidates!r} if name in _shipped)
    print(f"mlperf-docker: the configuration of {name} starts from {{_base.__name__}}")

    @ConfigRegistry.register(HarnessType.{harness}, AccuracyTarget.{target}, PowerSetting.MaxP)
    class {name}{"_HighAccuracy" if high else ""}(_base):
        system = _system
"""


def _exports_py(spec: RunSpec, on: Situation, profile: Profile) -> str:
    """v5.1: the shipped profile's EXPORTS, read from its own file; FP4 only where the GPU has it."""
    blackwell = any(word in gpu.name.lower() for gpu in on.host.gpus for word in ("b200", "b300", "rtx pro 6000"))
    folder, benchmark = profile.name or "B200-SXM-180GBx8", benchmark_name(on)
    lower = (
        ""
        if blackwell or not on.host.gpus
        else """
for _setting in EXPORTS.values():
    _precision = _setting.get(model_fields.precision)
    if getattr(_precision, "valstr", _precision) == "fp4":
        _setting[model_fields.precision] = "fp8"  # this GPU has no FP4
"""
    )
    return f"""\
# Written by mlperf-docker: {described(spec, on)}.
# What RUN_ARGS names (batch sizes, parallelism, rates) stands above what is taken over here.
import runpy
from pathlib import Path

import code.fields.models as model_fields

_SHIPPED = Path(__file__).resolve().parents[2] / {folder!r} / {spec.scenario.value!r} / {benchmark + ".py"!r}
EXPORTS = {{setting: dict(fields) for setting, fields in runpy.run_path(str(_SHIPPED))["EXPORTS"].items()}}
{lower}"""


def _system_json(spec: RunSpec, host: Host) -> str:
    gpu = host.gpus[0] if host.gpus else None
    sockets = host.sockets or 1
    memory = f"{round(host.memory_bytes / _GIB)} GB" if host.memory_bytes else ""
    fields = dict.fromkeys(_EMPTY_FIELDS, "") | {
        "accelerator_memory_capacity": f"{round(gpu.memory_bytes / _GIB)} GB" if gpu and gpu.memory_bytes else "",
        "accelerator_model_name": gpu.name if gpu else "",
        "accelerators_per_node": len(host.gpus),
        "division": spec.division.value,
        "framework": "TensorRT",
        "host_memory_capacity": memory,
        "host_processor_core_count": (host.cores or host.usable_cpus) // sockets,
        "host_processor_model_name": host.processor or "",
        "host_processors_per_node": sockets,
        "number_of_nodes": 1,
        "status": "available",
        "submitter": spec.submitter,
        "system_name": spec.system,
        "system_type": spec.category.value if spec.category else "datacenter",
        "system_type_detail": "N/A",
    }
    return json.dumps(fields, indent=4, sort_keys=True) + "\n"


_EMPTY_FIELDS = (
    "accelerator_frequency",
    "accelerator_host_interconnect",
    "accelerator_interconnect",
    "accelerator_interconnect_topology",
    "accelerator_memory_configuration",
    "accelerator_on-chip_memories",
    "boot_firmware_version",
    "cooling",
    "disk_controllers",
    "disk_drives",
    "filesystem",
    "host_memory_configuration",
    "host_network_card_count",
    "host_networking",
    "host_networking_topology",
    "host_processor_caches",
    "host_processor_frequency",
    "host_processor_interconnect",
    "host_storage_capacity",
    "host_storage_type",
    "hw_notes",
    "management_firmware_version",
    "network_speed_mbit",
    "nics_enabled_connected",
    "nics_enabled_firmware",
    "nics_enabled_os",
    "number_of_type_nics_installed",
    "operating_system",
    "other_hardware",
    "other_software_stack",
    "power_management",
    "power_supply_details",
    "power_supply_quantity_and_rating_watts",
    "sw_notes",
)
