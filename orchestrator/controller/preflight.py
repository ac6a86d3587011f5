"""Before the first side effect: what a request needs against what this machine has. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchestrator.config.images import image_entries
from orchestrator.controller.host_facts import host_of
from orchestrator.controller.request import Choice
from orchestrator.controller.requirements import on_requirements
from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.finding import Finding, Level, fault, note
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.ports import Images
from orchestrator.domain.source import is_fetched, origin_of
from orchestrator.domain.terms import Device
from orchestrator.errors import PreflightError
from orchestrator.host.machine import Machine


def preflight_choice(choice: Choice, machine: Machine) -> tuple[Finding, ...]:
    """Findings on the device, the implementation and what its licence wants from the user."""
    return tuple(_on_choice(choice, machine))


def _on_choice(choice: Choice, machine: Machine) -> Iterator[Finding]:
    spec, offer = choice.spec, choice.offer
    if spec.rehearse:
        yield note(
            "rehearsal", f"our stand-in takes the place of {spec.implementation}'s image", "no figure means much"
        )
    elif spec.device is not Device.CPU:
        from orchestrator.controller.gpu_preflight import gpu_preflight

        yield from gpu_preflight(spec.device, machine)
    if not choice.implementation.drives:
        yield fault(
            f"implementation {spec.implementation}",
            f"this version knows what '{spec.implementation}' needs ({offer.evidence.value}), but cannot drive it yet",
            f"mlperf-docker implementations show {spec.implementation}",
        )
    yield from _on_platform(choice, machine)
    yield from on_requirements(choice, host_of(machine))
    for need in () if spec.rehearse else offer.needs:
        yield note("you bring", need, "have it ready; it cannot be fetched for you")


def _on_platform(choice: Choice, machine: Machine) -> Iterator[Finding]:
    """Whether the image exists for this machine's processors, said before anything is rendered or pulled."""
    entry, platform = image_entries().get(choice.offer.image), host_of(machine).architecture
    if entry is None or choice.spec.image.reference is not None or choice.spec.image.base is not None:
        return
    if f"linux/{platform}" not in entry.platforms:
        there = ", ".join(entry.platforms)
        yield fault(
            "platform", f"image '{entry.name}' exists for {there}, not for linux/{platform}", "use such a machine"
        )
    elif entry.base_for(choice.round.name, platform) is None:
        known = sorted(
            {
                f"{name} on {arch}"
                for base in entry.bases
                for name in base.rounds or ("any round",)
                for arch in base.architectures or ("any architecture",)
            }
        )
        yield fault(
            "base image",
            f"image '{entry.name}' has no base for round {choice.round.name} on {platform}",
            f"it has one for {'; '.join(known) or 'none'}; or name one with --base-image",
        )


def preflight_assets(assets: Iterable[PlannedAsset]) -> tuple[Finding, ...]:
    """What this version cannot fetch and nobody gave: from where to get it, and how to hand it over."""
    unique = {asset.asset.name: asset for asset in assets}.values()
    return tuple(_missing(asset) for asset in unique if not asset.present and not is_fetched(asset.asset.source))


def preflight_images(plans: Iterable[RunPlan], images: Images) -> tuple[Finding, ...]:
    """What must be named before an image can be made: SDK archives, a revision that nobody knows."""
    wanted = {
        image.entry: image for plan in plans for image in (plan.image, *plan.other_images) if not image.choice.reference
    }
    return tuple(
        fault(f"image {image.entry}", cause, remedy)
        for image in wanted.values()
        for cause, remedy in images.recipe(
            image.entry, round_name=image.round, platform=image.platform, choice=image.choice
        ).missing
    )


def _missing(planned: PlannedAsset) -> Finding:
    asset = planned.asset
    size = f", {planned.fetch_bytes / 1e9:.3g} GB" if planned.fetch_bytes else ""
    size += " (estimated)" if size and asset.size_estimated else ""
    gate = f"; first: {asset.gate.text}" if asset.gate else ""
    return fault(
        f"{asset.kind.value} {asset.name}",
        f"is not here: {origin_of(asset.source)}{size}; licence: {asset.licence}{gate}",
        f"get it, then --asset {asset.name}=PATH",
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
