"""What happened: the content of run.json. Values only; the run directory writes them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.domain.asset import ReadyAsset
from orchestrator.domain.container import Exit
from orchestrator.domain.image import ReadyImage
from orchestrator.domain.measurement import AccuracyResult, Result
from orchestrator.domain.terms import Phase
from orchestrator.domain.verdict import Verdict

RECORD_SCHEMA = 1


class State(StrEnum):
    """`running` in a file whose owner is dead means: crashed; the next command says so."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTime:
    """One phase with its start (UTC, ISO 8601) and length in seconds; `seconds` null while it runs."""

    phase: Phase
    started: str
    seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """How one step ended and which image the engine says it ran; `left_out` when it had been done before."""

    name: str
    exit: Exit
    outcome: str
    wall_s: float
    role: str = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenFacts:
    """LoadGen as it named itself in its log."""

    version: str | None
    qsl_rng_seed: int | None
    sample_index_rng_seed: int | None
    schedule_rng_seed: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a run ended early: exit code, cause, remedy."""

    exit_code: int
    kind: str
    cause: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """The whole of run.json. `owner` is `<boot id>:<pid>:<start time>` of the controller that wrote it.

    `figures` stand beside the result: of token models the 99th percentiles of first-token and per-token time.
    """

    schema_version: int = RECORD_SCHEMA
    tool_version: str
    run_id: str
    plan_fingerprint: str
    state: State
    owner: str
    started: str
    finished: str | None = None
    phases: tuple[PhaseTime, ...] = ()
    engine: str | None = None
    engine_version: str | None = None
    image: ReadyImage | None = None
    other_images: tuple[ReadyImage, ...] = ()
    assets: tuple[ReadyAsset, ...] = ()
    executions: tuple[ExecutionRecord, ...] = ()
    loadgen: LoadGenFacts | None = None
    result: Result | None = None
    figures: tuple[Result, ...] = ()
    accuracy: AccuracyResult | None = None
    verdict: Verdict | None = None
    marks: tuple[str, ...] = ()
    failure: Failure | None = None
