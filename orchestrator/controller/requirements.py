"""Whether this machine has what an offer of the catalogue asks for: instruction sets, memory, devices. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.controller.request import Choice
from orchestrator.domain.finding import Finding, fault, note, ok
from orchestrator.domain.requirements import amount
from orchestrator.domain.situation import Gpu, Host
from orchestrator.domain.terms import Device

_ALL = "all"


def on_requirements(choice: Choice, host: Host) -> Iterator[Finding]:
    """One finding for each thing that is asked for; nothing in a rehearsal, which needs none of them.

    Memory is only a note where the user brings a model or a data set, which may be smaller than the official ones.
    """
    if choice.spec.rehearse:
        return
    yield from _instruction_sets(choice, host)
    yield from _memory(choice, host)
    yield from _devices(choice, host)


def _instruction_sets(choice: Choice, host: Host) -> Iterator[Finding]:
    wanted, there = choice.offer.requires.instruction_sets, set(host.instruction_sets)
    if not wanted:
        return
    missing = [name for name in wanted if name not in there]
    if not missing:
        yield ok("instruction sets", f"{', '.join(wanted)}: this processor has them")
        return
    yield fault(
        "instruction sets",
        f"{_who(choice)} needs {', '.join(wanted)}; {host.processor or 'this processor'} lacks {', '.join(missing)} "
        "(flags of /proc/cpuinfo)",
        _elsewhere(choice, "with such a processor"),
    )


def _memory(choice: Choice, host: Host) -> Iterator[Finding]:
    wanted = choice.offer.requires.memory_bytes
    if wanted is None:
        return
    if host.memory_bytes is not None:
        yield _at_least(choice, "memory", f"{amount(wanted)} of memory", wanted, host.memory_bytes, "/proc/meminfo")
    if choice.spec.memory_bytes is not None and choice.spec.memory_bytes < wanted:
        yield _short(
            choice,
            "memory limit",
            f"{_who(choice)} needs {amount(wanted)} of memory, but --memory allows {amount(choice.spec.memory_bytes)}",
            "leave --memory out",
        )


def _devices(choice: Choice, host: Host) -> Iterator[Finding]:
    if choice.spec.device is Device.CPU:
        return
    requires, kind = choice.offer.requires, choice.spec.device.value
    here = _usable(choice, host)
    if requires.devices is not None:
        text = f"{_who(choice)} needs {requires.devices} {kind} devices, {_counted(len(here))}"
        if len(here) >= requires.devices:
            yield ok(f"{kind}-devices", text)
        elif not host.gpus and host.device_nodes:
            yield note(f"{kind}-devices", f"{text}, but device nodes are there", "count them yourself")
        else:
            yield fault(f"{kind}-devices", f"{text} (PCI bus and drivers)", _elsewhere(choice, "with as many"))
    known = [gpu.memory_bytes for gpu in here if gpu.memory_bytes is not None]
    if not here or len(known) < len(here):
        return  # none: said above, or by the preflight of devices; unknown: nobody can judge it
    for name, wanted, found in (
        ("memory on each device", requires.device_memory_bytes, min(known)),
        ("memory on all devices", requires.devices_memory_bytes, sum(known)),
    ):
        if wanted is not None:
            yield _at_least(choice, f"{kind}-memory", f"{amount(wanted)} of {name}", wanted, found, "their driver")


def _usable(choice: Choice, host: Host) -> tuple[Gpu, ...]:
    """The devices that the run may use: all, or those of `--gpus` (of identifiers only the number is known)."""
    here = tuple(gpu for gpu in host.gpus if gpu.kind in {None, choice.spec.device})
    asked = choice.spec.gpus
    if not asked or asked == (_ALL,):
        return here
    numbers = [int(name) for name in asked if name.isdecimal()]
    if len(numbers) == len(asked):
        return tuple(here[number] for number in numbers if number < len(here))
    return here[: len(asked)]


def _at_least(choice: Choice, name: str, what: str, wanted: int, found: int, source: str) -> Finding:  # noqa: PLR0917
    text = f"{_who(choice)} needs {what}, this machine has {amount(found)} ({source})"
    return ok(name, text) if found >= wanted else _short(choice, name, text, _elsewhere(choice, "with more"))


def _short(choice: Choice, name: str, text: str, remedy: str) -> Finding:
    own = choice.spec.model_path is not None or choice.spec.dataset_path is not None
    if own:
        return note(name, f"{text}; yours may need less", remedy)
    return fault(name, text, remedy)


def _who(choice: Choice) -> str:
    return f"{choice.benchmark.name} with {choice.spec.implementation}/{choice.spec.backend}"


def _counted(count: int) -> str:
    return f"{count} may be used here" if count else "none is here"


def _elsewhere(choice: Choice, with_what: str) -> str:
    return f"use a machine {with_what}, or another way to run it: mlperf-docker models show {choice.benchmark.name}"
