"""What was decided: everything a run needs, frozen and fingerprinted before anything starts. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import PurePosixPath

from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.benchmark import AccuracyTarget, Seeds
from orchestrator.domain.canonical import JsonValue, fingerprint
from orchestrator.domain.container import ContainerSpec
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Evidence, Scenario, Suite

PLAN_SCHEMA = 1


class Role(StrEnum):
    """An execution is the result, or an estimate that only fits LoadGen's settings to this machine."""

    ESTIMATE = "estimate"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenSettings:
    """The user.conf of one execution. Durations, latencies in ms; rates per second; None leaves LoadGen's own.

    `fit` names a setting (`target_qps` or `target_latency_ms`) that is filled from the estimate before measuring,
    with `fit_factor` × what was estimated.
    """

    loadgen_model: str
    min_duration_ms: int | None = None
    min_query_count: int | None = None
    max_query_count: int | None = None
    target_qps: float | None = None
    target_latency_ms: float | None = None
    performance_sample_count: int | None = None
    fit: str | None = None
    fit_factor: float = 1.0
    user_conf: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One LoadGen process. `folder` (inside the run directory) is emptied before and must hold `produces` afterwards.

    `harness` is the JSON the harness reads (schema in orchestrator/sut/README.md), written to `folder`/harness.json.
    """

    name: str
    role: Role
    scenario: Scenario
    folder: PurePosixPath
    settings: LoadGenSettings
    container: ContainerSpec
    harness: tuple[tuple[str, JsonValue], ...]
    produces: tuple[PurePosixPath, ...]
    timeout_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the verdict will be held against. `judged` is false for test runs and models without a catalogue entry."""

    suite: Suite
    seeds: Seeds
    loadgen: str
    judged: bool
    min_duration_ms: int
    min_query_count: int | None
    offline_min_samples: int | None
    performance_sample_count: int
    dataset_samples: int
    latency_limit_ns: int | None
    accuracy: tuple[AccuracyTarget, ...]
    not_submittable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One decided run. `marks` are weakenings known beforehand (an engine that cannot isolate the network …)."""

    schema_version: int = PLAN_SCHEMA
    tool_version: str
    run_id: str
    spec: RunSpec
    image: PlannedImage
    assets: tuple[PlannedAsset, ...]
    executions: tuple[Execution, ...]
    rules: Rules
    evidence: Evidence
    marks: tuple[str, ...] = ()
    fingerprint: str = ""

    def sealed(self) -> RunPlan:
        """The same plan with its fingerprint: over everything but the run's own id, and what lies on disk by now."""
        neutral = replace(
            self,
            run_id="",
            fingerprint="",
            assets=tuple(replace(asset, present=True, fetch_bytes=0) for asset in self.assets),
        )
        return replace(self, fingerprint=fingerprint(neutral))

    @property
    def result_execution(self) -> Execution:
        """The one execution whose logs are the result."""
        return next(execution for execution in self.executions if execution.role is Role.RESULT)
