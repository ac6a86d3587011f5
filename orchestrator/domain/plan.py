"""What was decided: everything a run needs, frozen and fingerprinted before anything starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from orchestrator.domain.asset import PlannedAsset
from orchestrator.domain.benchmark import AccuracyTarget, Seeds, TokenLimits
from orchestrator.domain.canonical import JsonValue, fingerprint
from orchestrator.domain.container import ContainerSpec
from orchestrator.domain.image import PlannedImage
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Evidence, Scenario, Suite

PLAN_SCHEMA = 1


class Role(StrEnum):
    """What an execution is for. Exactly one of a run is the result; only it and an estimate are LoadGen processes.

    `prepare`: preprocess, calibrate, build engines. `service`: runs behind the executions that follow, until the run
    ends. `estimate`: fits LoadGen's settings to this machine. `evaluate`: scores what the result logged.
    """

    PREPARE = "prepare"
    SERVICE = "service"
    ESTIMATE = "estimate"
    RESULT = "result"
    EVALUATE = "evaluate"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenSettings:
    """The user.conf of one execution. Durations, latencies in ms; rates per second; None leaves LoadGen's own.

    `use_token_latencies`: answers are judged by their first token (`ttft_latency_ms`) and further ones
    (`tpot_latency_ms`); for models that LoadGen's built-in settings know it is theirs to say.

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
    sample_concatenate_permutation: int | None = None  # 0: a test run is not filled up to whole passes
    use_token_latencies: bool | None = None
    ttft_latency_ms: int | None = None
    tpot_latency_ms: int | None = None
    fit: str | None = None
    fit_factor: float = 1.0
    user_conf: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthCheck:
    """How a service says that it serves: `command`, run inside its container, ends with 0. Times in seconds."""

    command: tuple[str, ...]
    interval_s: float = 1.0
    timeout_s: float = 1800.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMount:
    """A folder of the run directory (another execution's, say) shown inside a container."""

    folder: PurePosixPath
    target: PurePosixPath
    read_only: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """One container of a run; of role result or estimate: one LoadGen process.

    `folder` (inside the run directory) is emptied before, mounted at `output_at`, and must hold `produces` afterwards
    (an evaluation shares the result's folder, which is then not emptied). `settings` go to `folder`/user.conf,
    `harness` (schema in orchestrator/sut/README.md) to `folder`/harness.json, `files` are written as they stand.

    `container.image` names an entry of images.yaml: the plan's own image or one of `other_images`.
    `logs_from`: where a vendor's harness leaves its logs: patterns of folders relative to `folder`; the files of the
    newest match are moved up into `folder`. `once` is a stamp on the host: the step is left out when it is there, and
    it is written when the step is done. `remove_first` are host files that must not be there when it starts (a
    forgotten audit file turns a run into an audit run), and are removed again afterwards, whatever happened.
    """

    name: str
    role: Role
    scenario: Scenario
    folder: PurePosixPath
    settings: LoadGenSettings | None = None
    container: ContainerSpec
    harness: tuple[tuple[str, JsonValue], ...] = ()
    produces: tuple[PurePosixPath, ...] = ()
    timeout_s: float | None = None
    phase: str | None = None
    output_at: PurePosixPath = PurePosixPath("/out")
    files: tuple[tuple[PurePosixPath, str], ...] = ()
    run_mounts: tuple[RunMount, ...] = ()
    logs_from: tuple[str, ...] = ()
    health: HealthCheck | None = None
    once: Path | None = None
    remove_first: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the verdict will be held against. `judged` is false for test runs and models without a catalogue entry.

    `accuracy_lines` gives for each metric the pattern of its line in the official script's accuracy.txt.
    """

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
    token_limits: TokenLimits | None = None
    percentile: float | None = None
    result_key: str | None = None
    accuracy: tuple[AccuracyTarget, ...]
    accuracy_lines: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    not_submittable: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """One decided run. `marks` are weakenings known beforehand (an engine that cannot isolate the network …).

    `stand_in` (in a rehearsal) is had first and takes the place of the image's base. `other_images` are those of steps
    that do not run in `image`.
    """

    schema_version: int = PLAN_SCHEMA
    tool_version: str
    run_id: str
    spec: RunSpec
    image: PlannedImage
    stand_in: PlannedImage | None = None
    other_images: tuple[PlannedImage, ...] = ()
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
