"""What the user asked: a request with lists, and the single runs it expands to. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.image import ImageChoice
from orchestrator.domain.terms import (
    Category,
    Device,
    Division,
    EngineName,
    ExecutionMode,
    Mode,
    Scenario,
    Tier,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadGenWishes:
    """LoadGen settings named by the user; durations and latencies in ms, rates in samples (queries) per second.

    `user_conf` is the text of the user's own file; single options win over it.
    """

    target_qps: float | None = None
    target_latency_ms: float | None = None
    min_duration_ms: int | None = None
    test_query_count: int | None = None
    user_conf: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Knobs:
    """Implementation knobs; None lets the implementation decide (and the plan says what it decided)."""

    threads: int | None = None
    batch_size: int | None = None
    extra: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One run as asked: model × implementation × backend × device × scenario × mode, catalogue names.

    `compliance_test` (`TEST01`) belongs to mode compliance. `model_name` is the user's name for `model_path`. `sources`
    are local clones by name, `sdks` archives only the user can bring, `assets` the user's own copies by catalogue
    name. `rehearse`: against our stand-in for the vendor's image, without its devices.
    """

    model: str
    implementation: str
    backend: str
    device: Device
    scenario: Scenario
    mode: Mode
    execution_mode: ExecutionMode
    round: str
    division: Division
    category: Category | None = None
    system: str
    submitter: str
    engine: EngineName
    loadgen: LoadGenWishes = LoadGenWishes()
    knobs: Knobs = Knobs()
    image: ImageChoice = ImageChoice()
    model_path: Path | None = None
    dataset_path: Path | None = None
    model_name: str | None = None
    compliance_test: str | None = None
    privileges: Tier = Tier.MINIMAL
    sources: tuple[tuple[str, Path], ...] = ()
    sdks: tuple[tuple[str, Path], ...] = ()
    assets: tuple[tuple[str, Path], ...] = ()
    rehearse: bool = False
    gpus: tuple[str, ...] = ()
    run_prefix: tuple[str, ...] = ()
    memory_bytes: int | None = None
    timeout_s: float | None = None
