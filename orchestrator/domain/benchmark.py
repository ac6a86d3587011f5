"""The catalogue as values: rounds, benchmarks and implementations. A round is data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from orchestrator.domain.terms import Category, Device, Evidence, Scenario, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """LoadGen's three official seeds of a round; they tell the round of a log."""

    qsl_rng_seed: int
    sample_index_rng_seed: int
    schedule_rng_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One MLPerf Inference round. `loadgen` is the pinned version of the mlcommons-loadgen wheel."""

    name: str
    loadgen: str
    seeds: Seeds
    min_duration_ms: int
    deadline: str | None = None
    tag: str | None = None
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyTarget:
    """One metric and its bounds. The lower limit is reference × multiplier, or reference less some samples.

    Figures are in the metric's own scale (a fraction for the small suite, percent for most official ones).
    """

    metric: str
    reference: float
    multiplier: float | None = None
    tolerance_samples: int | None = None
    upper_limit: float | None = None

    def lower_limit(self, samples: int) -> float:
        """Smallest accepted value over `samples` samples (rounded up half a part in 10^9 against float noise)."""
        if self.tolerance_samples is not None:
            return self.reference - self.tolerance_samples / samples - 1e-9
        return self.reference * (self.multiplier if self.multiplier is not None else 1.0) - 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class TestCount:
    """Size of a test run of one scenario: queries (samples for Offline), and the rate where LoadGen needs one."""

    __test__ = False

    queries: int
    target_qps: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRules:
    """A benchmark's rules in one round. Latency limits in ns; null fields are unknown, never guessed."""

    scenarios: tuple[Scenario, ...]
    required: Mapping[Category, tuple[Scenario, ...]] = field(default_factory=lambda: MappingProxyType({}))
    accuracy: tuple[AccuracyTarget, ...]
    dataset_samples: int
    performance_sample_count: int
    min_queries: Mapping[Scenario, int] = field(default_factory=lambda: MappingProxyType({}))
    offline_min_samples: int | None = None
    latency_limit_ns: Mapping[Scenario, int] = field(default_factory=lambda: MappingProxyType({}))
    compliance: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to run a benchmark: implementation, backend, devices, the assets it takes, and how far it was tried.

    `accuracy` replaces the benchmark's targets for this artefact (an int8 model has its own reference).
    """

    implementation: str
    backend: str
    devices: tuple[Device, ...]
    image: str
    model: str | None = None
    model_file: str | None = None
    dataset: str | None = None
    batch_size: int = 1
    accuracy: tuple[AccuracyTarget, ...] = ()
    rounds: tuple[str, ...] = ()
    default: bool = False
    needs: tuple[str, ...] = ()
    evidence: Evidence = Evidence.PUBLISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One catalogue model. `rules` is keyed by round; the key `any` holds for all rounds (small suite)."""

    name: str
    suite: Suite
    task: str
    description: str
    loadgen_model: str
    checker_model: str | None = None
    aliases: tuple[str, ...] = ()
    dataset: str
    metric_samples_unit: str = "samples"
    rules: Mapping[str, BenchmarkRules]
    test: Mapping[Scenario, TestCount] = field(default_factory=lambda: MappingProxyType({}))
    offers: tuple[Offer, ...]

    def rules_of(self, round_name: str) -> BenchmarkRules | None:
        """The rules in a round, or None where the benchmark is not part of it."""
        return self.rules.get(round_name) or self.rules.get("any")


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """One way of driving a harness: who wrote it, what a user must bring, the backends it knows.

    `knobs` are the names `--set` takes, by backend, with the values each may have (none listed: any).
    """

    name: str
    title: str
    description: str
    backends: tuple[str, ...]
    devices: tuple[Device, ...]
    drives: bool = False  # whether this version can drive it, or only describe what is needed
    user_supplies: tuple[str, ...] = ()
    knobs: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=lambda: MappingProxyType({}))
    custom_models: tuple[str, ...] = ()  # suffixes taken by --model-path without a catalogue entry
    evidence: Evidence = Evidence.PUBLISHED
