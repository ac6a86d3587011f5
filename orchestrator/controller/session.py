"""From a request to frozen plans with everything wired: what `run`, `--dry-run` and `--debug` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.settings import Settings
from orchestrator.controller.connect import Connected, connect_to
from orchestrator.controller.planning import plan_run
from orchestrator.controller.preflight import preflight_choice, preflight_disk, refuse_faults
from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.domain.finding import Finding
from orchestrator.domain.plan import RunPlan
from orchestrator.host.machine import describe_machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Plans of one request and the adapters to carry them out; nothing has been started."""

    plans: tuple[RunPlan, ...]
    connected: Connected
    results: Path
    findings: tuple[Finding, ...]


def open_session(request: RunRequest, settings: Settings) -> Session:
    """Choose, check and plan. UsageError, PreflightError: nothing was touched."""
    choices = choose(request)
    here = describe_machine()
    findings = preflight_choice(choices[0], here)
    refuse_faults(findings, _subject(choices[0]))
    connected = connect_to(request.engine, settings, round_name=choices[0].round.name, choice=request.image)
    plans = tuple(plan_run(choice, connected.ground) for choice in choices)
    assets = [asset for plan in plans for asset in plan.assets]
    disk_findings = preflight_disk(assets, settings.cache_dir, settings.results_dir)
    refuse_faults(disk_findings, _subject(choices[0]))
    return Session(
        plans=plans,
        connected=connected,
        results=settings.results_dir.absolute(),
        findings=(*findings, *disk_findings),
    )


def _subject(choice: Choice) -> str:
    spec = choice.spec
    return f"{spec.model} with {spec.implementation}/{spec.backend} on {spec.device.value}"
