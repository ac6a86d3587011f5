"""Before the first side effect: what a request needs against what this machine has. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from orchestrator.controller.request import Choice
from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.finding import Finding, Level, fault, note, ok
from orchestrator.domain.terms import Device
from orchestrator.errors import PreflightError
from orchestrator.host.disks import disk
from orchestrator.host.machine import Machine

_RESULTS_WANT_BYTES = 64 << 20


def preflight_choice(choice: Choice, machine: Machine) -> tuple[Finding, ...]:
    """Findings on the device, the implementation and what its licence wants from the user."""
    return tuple(_on_choice(choice, machine))


def _on_choice(choice: Choice, machine: Machine) -> Iterator[Finding]:
    spec, offer = choice.spec, choice.offer
    if spec.device is not Device.CPU:
        from orchestrator.controller.gpu_preflight import gpu_preflight

        yield from gpu_preflight(spec.device, machine)
    if spec.implementation != "generic":
        yield fault(
            f"implementation {spec.implementation}",
            f"this version knows what '{spec.implementation}' needs ({offer.evidence.value}), but cannot drive it yet",
            f"mlperf-docker implementations show {spec.implementation}",
        )
    for need in offer.needs:
        yield note("you bring", need, "have it ready; it cannot be fetched for you")


def preflight_disk(assets: Iterable[PlannedAsset], cache: Path, results: Path) -> tuple[Finding, ...]:
    """Bytes that are to be fetched against bytes free, per file system."""
    unique = {asset.key: asset for asset in assets}.values()
    wanted: dict[str, int] = {}
    disks = {}
    for path, bytes_ in ((cache, sum(2 * asset.fetch_bytes for asset in unique)), (results, _RESULTS_WANT_BYTES)):
        found = disk(path)
        wanted[found.device] = wanted.get(found.device, 0) + bytes_
        disks[found.device] = found
    return tuple(
        ok("disk", f"{_mib(need)} needed, {_mib(disks[device].free_bytes)} free at {disks[device].path}")
        if disks[device].free_bytes >= need
        else fault(
            "disk",
            f"{_mib(need)} needed, only {_mib(disks[device].free_bytes)} free at {disks[device].path}",
            "free some, or choose another place with MLPERF_DOCKER_CACHE or --results-dir",
        )
        for device, need in wanted.items()
    )


def refuse_faults(findings: Iterable[Finding], subject: str) -> None:
    """PreflightError listing every fault, each with its remedy; nothing when there is none."""
    found = tuple(findings)
    faults = [finding for finding in found if finding.level is Level.FAULT]
    if not faults:
        return
    lines = [f"'{subject}' cannot run on this machine:"]
    lines += [f"  {finding.name}: {finding.text}  -> {finding.remedy}" for finding in faults]
    lines += [f"  {finding.name}: {finding.text}" for finding in found if finding.level is Level.NOTE]
    raise PreflightError("\n".join(lines), hint="mlperf-docker doctor looks the whole machine over")


def _mib(bytes_: int) -> str:
    return f"{bytes_ / (1 << 20):.0f} MiB"
