"""Decide: from a chosen run and the facts of this machine to a frozen plan. No side effects."""

from __future__ import annotations

import os
import re
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import __version__
from orchestrator.config.catalog import load_asset, load_compliance
from orchestrator.config.images import image_entries
from orchestrator.controller.rehearsal import paced, rehearsed, stand_in
from orchestrator.controller.request import Choice
from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PlannedAsset
from orchestrator.domain.image import ImageChoice, PlannedImage
from orchestrator.domain.plan import Execution, Rules, RunPlan
from orchestrator.domain.ports import Assets, Images
from orchestrator.domain.situation import Audit, Host, Situation
from orchestrator.domain.source import LocalPath
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Division, EngineName, Evidence, ExecutionMode, Mode, Suite
from orchestrator.implementations.drivers import driver_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What planning stands on besides the request: adapters that are only asked, and facts of this machine.

    `work` is the folder under which drivers keep what outlives a run.
    """

    images: Images
    assets: Assets
    platform: str
    host: Host
    work: Path
    now: datetime


def plan_run(choice: Choice, ground: Ground) -> RunPlan:
    """The whole decision for one run; the same choice on the same machine gives the same fingerprint."""
    spec = choice.spec
    model, dataset, others = _assets(choice, ground.assets)
    image = plan_image(choice.offer.image, choice, ground)
    situation = Situation(
        benchmark=choice.benchmark,
        rules=choice.rules,
        offer=choice.offer,
        round=choice.round,
        implementation=choice.implementation,
        image=choice.offer.image,
        model=_model_file(choice, model[-1]) if model else None,
        dataset=dataset[-1].path if dataset else None,
        assets={name: planned[-1].path for name, planned in others.items()},
        host=ground.host,
        user=(os.geteuid(), os.getegid()),
        work=ground.work / spec.implementation / _work_name(spec, image),
        audit=_audit(choice),
    )
    executions = driver_of(choice.implementation)(paced(spec, choice.rules) if spec.rehearse else spec, situation)
    marks: tuple[str, ...] = ()
    if spec.rehearse:
        executions, marks = rehearsed(executions, spec.implementation)
    return RunPlan(
        tool_version=__version__,
        run_id=run_id(spec, ground.now),
        spec=spec,
        image=image,
        stand_in=plan_image(f"rehearsal-{spec.implementation}", choice, ground, plain=True) if spec.rehearse else None,
        other_images=_other_images(executions, choice, ground),
        assets=_unique((*model, *dataset, *(each for planned in others.values() for each in planned))),
        executions=executions,
        rules=_rules(choice, _blockers(image, choice, ground)),
        evidence=Evidence.REHEARSED if spec.rehearse else choice.offer.evidence,
        marks=marks,
    ).sealed()


def plan_image(entry: str, choice: Choice, ground: Ground, *, plain: bool = False) -> PlannedImage:
    """An image of a run, from those of the user's sources that it takes.

    `plain` leaves out what else the user said of the run's own image (a reference, a base).
    """
    spec = choice.spec
    described = image_entries().get(entry)
    named = {source.name for source in described.sources} if described else set()
    sources = tuple(pair for pair in spec.sources if pair[0] in named)
    said = replace(spec.image, sources=sources, sdks=spec.sdks)
    wanted = ImageChoice(pull=said.pull, sources=sources) if plain else said
    base = described.base_for(spec.round, ground.platform.split("/")[1]) if described else None
    found = ground.images.recipe(entry, round_name=spec.round, platform=ground.platform, choice=wanted)
    return PlannedImage(
        entry=entry,
        round=spec.round,
        platform=ground.platform,
        recipe=found.hash,
        sources=found.sources,
        base=str(wanted.base) if wanted.base else (base.registry if base else None),
        choice=wanted,
        debug=bool(spec.run_prefix),
    )


def _other_images(executions: tuple[Execution, ...], choice: Choice, ground: Ground) -> tuple[PlannedImage, ...]:
    names = dict.fromkeys(each.container.image for each in executions)
    return tuple(plan_image(name, choice, ground, plain=True) for name in names if name != choice.offer.image)


def run_id(spec: RunSpec, now: datetime) -> str:
    """`<UTC time>-<model>-<scenario>-<mode>-<8 hex>`; the hex digits keep two runs of one second apart."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    mode = (spec.compliance_test or spec.mode.value) + ("-rehearsal" if spec.rehearse else "")
    return f"{stamp}-{spec.model}-{spec.scenario.value}-{mode}-{secrets.token_hex(4)}"


def _work_name(spec: RunSpec, image: PlannedImage) -> str:
    """What a stand-in made is never taken for the vendor's, nor what one base made for another's."""
    base = f"-on-{re.sub('[^A-Za-z0-9.]+', '-', str(image.choice.base))}" if image.choice.base is not None else ""
    return f"{'rehearsal-' if spec.rehearse else ''}{image.entry}-{image.recipe[:12]}{base}"


def _audit(choice: Choice) -> Audit | None:
    test = choice.spec.compliance_test
    if test is None:
        return None
    family = choice.benchmark.family or choice.benchmark.name
    return Audit(test=test, text=load_compliance(test).audit_text(family))


Planned = tuple[PlannedAsset, ...]


def _assets(choice: Choice, assets: Assets) -> tuple[Planned, Planned, dict[str, Planned]]:
    """Planned assets of model, data set and further ones, what they are made from included.

    The user's own path always wins.
    """
    spec, offer = choice.spec, choice.offer
    model = dataset = None
    if spec.model_path:
        model = _local(spec.model, AssetKind.MODEL, spec.model_path)
    elif offer.model:
        model = _wanted(offer.model, spec, *((offer.model_file,) if offer.model_file else ()))
    if spec.dataset_path:
        dataset = _local(choice.benchmark.dataset, AssetKind.DATASET, spec.dataset_path)
    elif offer.dataset:
        dataset = _wanted(offer.dataset, spec)
    others = {name: assets.plan(_wanted(name, spec), load_asset) for name in offer.assets}
    return (
        assets.plan(model, load_asset) if model else (),
        assets.plan(dataset, load_asset) if dataset else (),
        others,
    )


def _wanted(name: str, spec: RunSpec, *files: str) -> Asset:
    """A catalogue asset, or the user's copy of it, or in a rehearsal what stands in for it."""
    asset, own = load_asset(name), dict(spec.assets)
    if name in own:
        return _held_to(asset, _local(name, asset.kind, own[name]), spec)
    return stand_in(asset, *files) if spec.rehearse else asset


def _held_to(asset: Asset, own: Asset, spec: RunSpec) -> Asset:
    """The user's copy of a catalogue asset, to be what the catalogue says; in the open division of the same form."""
    if spec.rehearse:
        return own
    if spec.division is Division.CLOSED:
        return replace(own, files=asset.files, layout=asset.layout)
    return replace(
        own,
        files=tuple(AssetFile(name=file.name) for file in asset.files),
        layout=tuple(replace(one, count=None) for one in asset.layout),
    )


def _local(name: str, kind: AssetKind, path: Path) -> Asset:
    return Asset(
        name=f"{name} ({kind.value} of the user's)",
        kind=kind,
        source=LocalPath(path=path),
        licence="the user's own",
        evidence=Evidence.PROVEN,
    )


def _model_file(choice: Choice, planned: PlannedAsset) -> Path:
    if isinstance(planned.asset.source, LocalPath):
        return planned.path
    name = choice.offer.model_file or (planned.asset.files[0].name if len(planned.asset.files) == 1 else None)
    return planned.path / name if name else planned.path


def _unique(assets: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
    return tuple({(asset.asset.name, asset.key): asset for asset in assets}.values())


def _blockers(image: PlannedImage, choice: Choice, ground: Ground) -> tuple[str, ...]:
    """Why such runs cannot be submitted as closed: what the offer says, sources that are not the round's own."""
    if choice.spec.division is not Division.CLOSED:
        return ()
    found = ground.images.recipe(image.entry, round_name=image.round, platform=image.platform, choice=image.choice)
    return (*choice.offer.closed_blockers, *found.blockers)


def _rules(choice: Choice, blockers: tuple[str, ...]) -> Rules:
    spec, rules, script = choice.spec, choice.rules, choice.benchmark.accuracy_script
    return Rules(
        suite=choice.benchmark.suite,
        seeds=choice.round.seeds,
        loadgen=choice.round.loadgen,
        judged=spec.execution_mode is ExecutionMode.VALID and choice.benchmark.suite is not Suite.CUSTOM,
        min_duration_ms=choice.round.min_duration_ms if rules.min_duration_ms is None else rules.min_duration_ms,
        min_query_count=rules.min_queries.get(spec.scenario),
        offline_min_samples=rules.offline_min_samples,
        performance_sample_count=rules.performance_sample_count,
        dataset_samples=rules.accuracy_count(spec.scenario) if spec.mode is Mode.ACCURACY else rules.dataset_samples,
        latency_limit_ns=rules.latency_limit_ns.get(spec.scenario),
        token_limits=rules.token_limits.get(spec.scenario),
        result_key=rules.result_key.get(spec.scenario),
        percentile=rules.percentile.get(spec.scenario),
        accuracy=choice.offer.accuracy or rules.targets(spec.scenario),
        accuracy_lines=script.lines if script is not None else {},
        not_submittable=(*_not_submittable(choice), *blockers),
    )


def _not_submittable(choice: Choice) -> tuple[str, ...]:
    spec = choice.spec
    official, is_open = choice.benchmark.suite is Suite.MLPERF, spec.division is Division.OPEN
    reasons = {
        "the small suite is for trying and testing; it is part of no round": choice.benchmark.suite is Suite.SMALL,
        "the model is your own; no rules of a round apply to it": choice.benchmark.suite is Suite.CUSTOM,
        "a test run is never submittable": spec.execution_mode is ExecutionMode.TEST,
        "a rehearsal measures a stand-in, not the vendor's software": spec.rehearse,
        f"the harness ran under '{' '.join(spec.run_prefix)}'": bool(spec.run_prefix),
        "the native engine runs outside a container": spec.engine is EngineName.NATIVE,
        "the model file is your own (--model-path)": spec.model_path is not None
        and choice.benchmark.suite is not Suite.CUSTOM
        and not (official and is_open and spec.model_name is not None),
        "the data set is your own (--dataset-path)": spec.dataset_path is not None and not official,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def renewed(plan: RunPlan, now: datetime) -> RunPlan:
    """The same decision under a new run id."""
    return replace(plan, run_id=run_id(plan.spec, now))
