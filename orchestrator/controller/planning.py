"""Decide: from a chosen run and the facts of this machine to a frozen plan. No side effects."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator import __version__
from orchestrator.config.catalog import load_asset
from orchestrator.controller.request import Choice
from orchestrator.domain.asset import Asset, AssetKind, LocalPath, PlannedAsset
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.plan import Rules, RunPlan
from orchestrator.domain.ports import Assets, Images
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName, Evidence, ExecutionMode, Scenario, Suite
from orchestrator.errors import PreflightError
from orchestrator.implementations.generic import Situation, executions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What planning stands on besides the request: adapters that are only asked, and facts of this machine."""

    images: Images
    assets: Assets
    platform: str
    usable_cpus: int
    now: datetime


def plan_run(choice: Choice, ground: Ground) -> RunPlan:
    """The whole decision for one run; the same choice on the same machine gives the same fingerprint."""
    spec = choice.spec
    if spec.implementation != "generic":
        raise PreflightError(
            f"this version can describe '{spec.implementation}', but not drive it yet",
            hint="what it will need: mlperf-docker implementations show " + spec.implementation,
        )
    model, dataset = _assets(choice, ground.assets)
    situation = Situation(
        image=choice.offer.image,
        loadgen_model=choice.benchmark.loadgen_model,
        model=_model_file(choice, model[-1]),
        dataset=dataset[-1].path if dataset else None,
        performance_sample_count=choice.rules.performance_sample_count,
        batch_size=choice.offer.batch_size,
        test=choice.benchmark.test.get(spec.scenario),
        server_latency_limit_ms=_ms(choice.rules.latency_limit_ns.get(Scenario.SERVER)),
        usable_cpus=ground.usable_cpus,
        user=(os.geteuid(), os.getegid()),
    )
    image = PlannedImage(
        entry=choice.offer.image,
        round=spec.round,
        platform=ground.platform,
        recipe=ground.images.plan(choice.offer.image, round_name=spec.round, platform=ground.platform),
        choice=spec.image,
        debug=bool(spec.run_prefix),
    )
    return RunPlan(
        tool_version=__version__,
        run_id=run_id(spec, ground.now),
        spec=spec,
        image=image,
        assets=_unique(model + dataset),
        executions=executions(spec, situation),
        rules=_rules(choice),
        evidence=choice.offer.evidence,
    ).sealed()


def run_id(spec: RunSpec, now: datetime) -> str:
    """`<UTC time>-<model>-<scenario>-<mode>-<8 hex>`; the hex digits keep two runs of one second apart."""
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{stamp}-{spec.model}-{spec.scenario.value}-{spec.mode.value}-{secrets.token_hex(4)}"


def _assets(choice: Choice, assets: Assets) -> tuple[tuple[PlannedAsset, ...], tuple[PlannedAsset, ...]]:
    """Planned assets of model and data set, what they are made from included; the user's own path always wins."""
    spec, offer = choice.spec, choice.offer
    model = _local(spec.model, AssetKind.MODEL, spec.model_path) if spec.model_path else _named(offer.model)
    dataset = (
        _local(choice.benchmark.dataset, AssetKind.DATASET, spec.dataset_path)
        if spec.dataset_path
        else _named(offer.dataset)
    )
    assert model is not None  # noqa: S101 - check_catalogue holds every generic offer to it
    return assets.plan(model, load_asset), assets.plan(dataset, load_asset) if dataset else ()


def _named(name: str | None) -> Asset | None:
    return load_asset(name) if name else None


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
    name = choice.offer.model_file or (planned.asset.files[0].name if planned.asset.files else None)
    assert name is not None  # noqa: S101 - check_catalogue holds every generic offer to it
    return planned.path / name


def _unique(assets: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
    return tuple({(asset.asset.name, asset.key): asset for asset in assets}.values())


def _rules(choice: Choice) -> Rules:
    spec, rules = choice.spec, choice.rules
    return Rules(
        suite=choice.benchmark.suite,
        seeds=choice.round.seeds,
        loadgen=choice.round.loadgen,
        judged=spec.execution_mode is ExecutionMode.VALID and choice.benchmark.suite is not Suite.CUSTOM,
        min_duration_ms=choice.round.min_duration_ms,
        min_query_count=rules.min_queries.get(spec.scenario),
        offline_min_samples=rules.offline_min_samples,
        performance_sample_count=rules.performance_sample_count,
        dataset_samples=rules.dataset_samples,
        latency_limit_ns=rules.latency_limit_ns.get(spec.scenario),
        accuracy=choice.offer.accuracy or rules.accuracy,
        not_submittable=_not_submittable(choice),
    )


def _not_submittable(choice: Choice) -> tuple[str, ...]:
    spec = choice.spec
    reasons = {
        "the small suite is for trying and testing; it is part of no round": choice.benchmark.suite is Suite.SMALL,
        "the model is your own; no rules of a round apply to it": choice.benchmark.suite is Suite.CUSTOM,
        "a test run is never submittable": spec.execution_mode is ExecutionMode.TEST,
        f"the harness ran under '{' '.join(spec.run_prefix)}'": bool(spec.run_prefix),
        "the native engine runs outside a container": spec.engine is EngineName.NATIVE,
        "the model file is your own (--model-path)": spec.model_path is not None
        and choice.benchmark.suite is not Suite.CUSTOM,
        "the data set is your own (--dataset-path)": spec.dataset_path is not None,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _ms(nanoseconds: int | None) -> float | None:
    return nanoseconds / 1e6 if nanoseconds is not None else None


def renewed(plan: RunPlan, now: datetime) -> RunPlan:
    """The same decision under a new run id."""
    return replace(plan, run_id=run_id(plan.spec, now))
