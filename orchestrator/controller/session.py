"""From a request to frozen plans with everything wired: what `run`, `--dry-run` and `--debug` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.images import image_entries
from orchestrator.config.settings import Settings
from orchestrator.controller.access import access_findings, gated
from orchestrator.controller.connect import Connected, connect_to
from orchestrator.controller.host_facts import this_machine
from orchestrator.controller.line import line_of
from orchestrator.controller.planning import plan_run
from orchestrator.controller.preflight import preflight_assets, preflight_choice, preflight_images, refuse_faults
from orchestrator.controller.preparation import choice_of_step
from orchestrator.controller.request import Choice, RunRequest, choose
from orchestrator.controller.space import (
    FileSystem,
    Need,
    asset_needs,
    file_systems,
    image_needs,
    results_need,
    space_findings,
)
from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.finding import Finding
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.source import Prepared, Scripted
from orchestrator.domain.terms import EngineName
from orchestrator.errors import MlperfDockerError


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Plans of one request and the adapters to carry them out; nothing has been started.

    `space`: the file systems that will be written to, with all that takes room on them.
    """

    plans: tuple[RunPlan, ...]
    connected: Connected
    results: Path
    findings: tuple[Finding, ...]
    subject: str
    needs: tuple[Need, ...] = ()
    space: tuple[FileSystem, ...] = ()


def open_session(
    request: RunRequest, settings: Settings, *, refuse: bool = True, check_access: bool | None = None
) -> Session:
    """Choose, check and plan. UsageError, PreflightError: nothing was touched.

    Without `refuse`, what this machine lacks stands among the findings, and the plan is there to be shown: then
    neither the engine's images nor any server are asked, unless `check_access` says so.
    """
    choices = choose(request)
    subject = _subject(choices[0])
    findings = preflight_choice(choices[0], this_machine())
    if not choices[0].implementation.drives:
        refuse_faults(findings, subject)
    said = replace(request.image, sources=request.sources)  # data sets, too, are made by scripts of these clones
    connected = connect_to(request.engine, settings, round_name=choices[0].round.name, choice=said)
    plans = tuple(plan_run(choice, connected.ground) for choice in choices)
    assets = [asset for plan in plans for asset in plan.assets]
    needed = [asset for plan in plans for asset in connected.assets.needed(plan.assets)]
    needs = (
        *asset_needs(needed, settings.cache_dir),
        *_image_needs(plans, needed, connected, settings, ask=refuse),
        results_need(settings.results_dir),
    )
    space = file_systems(needs)
    wanting = (*preflight_assets(assets), *preflight_images(plans, connected.images))
    access = _access(needed, settings) if (refuse if check_access is None else check_access) else ()
    more = (*wanting, *space_findings(space), *access)
    if refuse:
        refuse_faults((*findings, *more), subject)
    return Session(
        plans=plans,
        connected=connected,
        results=settings.results_dir.absolute(),
        findings=(*findings, *more),
        subject=subject,
        needs=needs,
        space=space,
    )


def _image_needs(
    plans: tuple[RunPlan, ...],
    needed: list[PlannedAsset],
    connected: Connected,
    settings: Settings,
    *,
    ask: bool,
) -> tuple[Need, ...]:
    """Room for the images of runs and preparation that are not there; for all where the engine is not asked."""
    if connected.engine.name is EngineName.NATIVE:
        return ()  # its environments lie in the cache, and nobody knows their size
    from orchestrator.host.docker_api import local_data_root

    wanted = [image for plan in plans for image in (plan.image, *plan.other_images)]
    wanted += [plan.stand_in for plan in plans if plan.stand_in is not None]
    unique = tuple(dict.fromkeys((*wanted, *_step_images(plans, needed, connected))))
    missing = [image for image in unique if not (ask and _is_there(image, connected))]
    entries = image_entries()
    return image_needs(missing, entries.get, local_data_root(settings.docker_url)) if missing else ()


def _step_images(
    plans: tuple[RunPlan, ...], needed: list[PlannedAsset], connected: Connected
) -> Iterator[PlannedImage]:
    """The images in which assets will be prepared."""
    image, entries = plans[0].image, image_entries()
    makers = (one.asset.source for one in needed if not one.present)
    for entry in dict.fromkeys(one.image for one in makers if isinstance(one, Prepared | Scripted)):
        choice = choice_of_step(entries[entry], image.choice)
        with suppress(MlperfDockerError):  # the preparation will say what is the matter
            recipe = connected.images.plan(entry, round_name=image.round, platform=image.platform, choice=choice)
            yield replace(image, entry=entry, recipe=recipe, choice=choice, base=None, sources=(), debug=False)


def _is_there(image: PlannedImage, connected: Connected) -> bool:
    try:
        return not image.choice.rebuild and connected.images.present(image) is not None
    except MlperfDockerError:
        return False  # the run will say what is the matter


def _access(needed: list[PlannedAsset], settings: Settings) -> tuple[Finding, ...]:
    wanted = gated(needed)
    return access_findings(wanted, line_of(settings)) if wanted else ()


def _subject(choice: Choice) -> str:
    spec = choice.spec
    return f"{spec.model} with {spec.implementation}/{spec.backend} on {spec.device.value}"
