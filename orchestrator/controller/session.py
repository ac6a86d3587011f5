"""From a request to frozen plans with everything wired: what `run`, `--dry-run` and `--debug` have in common."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.config.settings import Settings
from orchestrator.controller.connect import Connected, connect_to
from orchestrator.controller.host_facts import this_machine
from orchestrator.controller.planning import plan_run
from orchestrator.controller.preflight import (
    preflight_assets,
    preflight_choice,
    preflight_disk,
    preflight_images,
    refuse_faults,
)
from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.domain.finding import Finding
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.source import is_fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Plans of one request and the adapters to carry them out; nothing has been started."""

    plans: tuple[RunPlan, ...]
    connected: Connected
    results: Path
    findings: tuple[Finding, ...]
    subject: str


def open_session(request: RunRequest, settings: Settings, *, refuse: bool = True) -> Session:
    """Choose, check and plan. UsageError, PreflightError: nothing was touched.

    Without `refuse`, what this machine lacks stands among the findings, and the plan is there to be shown.
    """
    choices = choose(request)
    subject = _subject(choices[0])
    findings = preflight_choice(choices[0], this_machine())
    if not choices[0].implementation.drives:
        refuse_faults(findings, subject)
    connected = connect_to(request.engine, settings, round_name=choices[0].round.name, choice=request.image)
    plans = tuple(plan_run(choice, connected.ground) for choice in choices)
    assets = [asset for plan in plans for asset in plan.assets]
    wanting = (*preflight_assets(assets), *preflight_images(plans, connected.images))
    fetched = [asset for asset in assets if is_fetched(asset.asset.source)]
    more = (*wanting, *preflight_disk(fetched, settings.cache_dir, settings.results_dir))
    if refuse:
        refuse_faults((*findings, *more), subject)
    return Session(
        plans=plans,
        connected=connected,
        results=settings.results_dir.absolute(),
        findings=(*findings, *more),
        subject=subject,
    )


def _subject(choice: Choice) -> str:
    spec = choice.spec
    return f"{spec.model} with {spec.implementation}/{spec.backend} on {spec.device.value}"
