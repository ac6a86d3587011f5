"""The catalogue as values: rounds, benchmarks and implementations. A round is data, not code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Literal

from orchestrator.domain.requirements import ANY_MACHINE, Requires
from orchestrator.domain.terms import Category, Device, Evidence, Mode, Scenario, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """LoadGen's three official seeds of a round; they tell the round of a log."""

    qsl_rng_seed: int
    sample_index_rng_seed: int
    schedule_rng_seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One MLPerf Inference round. `loadgen` is the pinned version of the mlcommons-loadgen wheel.

    `commit` is the revision of the rules repository that harness sources are cloned at (of `tag`, where there is one);
    `settings_commit` the one whose LoadGen settings are the round's, where that is another. `layout` names the form of
    its submission trees. `test05_seeds` are those of the compliance test TEST05, in the rounds that have it.
    """

    name: str
    loadgen: str
    seeds: Seeds
    min_duration_ms: int
    deadline: str | None = None
    tag: str | None = None
    commit: str | None = None
    settings_commit: str | None = None
    layout: str | None = None
    test05_seeds: Seeds | None = None
    default: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyTarget:
    """One metric and its bounds. The lower limit is reference × multiplier, or reference less some samples.

    Figures are in the metric's own scale (a fraction for the small suite, percent for most official ones). Without a
    reference `lowest` is the limit itself, and 0 where there is none (the open division has no limits at all).
    `lower_is_better` tells of the metric; the limits are the checker's all the same.
    """

    metric: str
    reference: float | None = None
    multiplier: float | None = None
    tolerance_samples: int | None = None
    lowest: float | None = None
    upper_limit: float | None = None
    lower_is_better: bool = False

    def bounds(self, samples: int) -> str:
        """The accepted values in words: `F1 >= 89.9653`, `CLIP_SCORE 31.6863 to 31.8133`."""
        open_below = self.reference is None and self.lowest is None
        lower, upper = f"{self.lower_limit(samples):.6g}", self.upper_limit
        if upper is None:
            return f"{self.metric}, no limit" if open_below else f"{self.metric} >= {lower}"
        return f"{self.metric} <= {upper:.6g}" if open_below else f"{self.metric} {lower} to {upper:.6g}"

    def lower_limit(self, samples: int) -> float:
        """Smallest accepted value over `samples` samples (rounded up half a part in 10^9 against float noise)."""
        if self.reference is None:
            return (self.lowest or 0.0) - 1e-9
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
class TokenLimits:
    """Latency limits of a token model in ns: time to first token, time per output token (99th percentiles)."""

    ttft_ns: int
    tpot_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CombinedSystem:
    """Scenarios of a system that is submitted as datacenter and edge at once; `one_of` as in BenchmarkRules."""

    required: tuple[Scenario, ...]
    optional: tuple[Scenario, ...] = ()
    one_of: tuple[Scenario, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkRules:
    """A benchmark's rules in one round. Latency limits in ns; null fields are unknown, never guessed.

    `required` and `optional` are the scenarios of a category; of `one_of`, which are optional, one must be there.
    `datacenter_edge` is for systems of both categories (null: the round knows none such). `percentile` (percent) is
    where it differs from the scenario's own. `loadgen_model` replaces the benchmark's in one scenario
    (`llama2-70b-interactive`). `equal_issue`: LoadGen issues whole passes over the data set.

    `accuracy_in` and `accuracy_samples_in` replace `accuracy` and `accuracy_samples` in a scenario; null
    `accuracy_samples` are all of the data set. `accuracy_delta_percent` is how far TEST01's accuracy may be off, by
    metric. `token_latencies`: LoadGen measures (or infers) those of tokens. `result_key` is the log entry of the
    result, where it is not the scenario's own. `extra_files` are sample numbers whose outputs an accuracy run of the
    closed division keeps, by folder. `endpoints`: the round takes results of MLCommons endpoints, too, or only those.
    """

    scenarios: tuple[Scenario, ...]
    required: Mapping[Category, tuple[Scenario, ...]] = field(default_factory=lambda: MappingProxyType({}))
    optional: Mapping[Category, tuple[Scenario, ...]] = field(default_factory=lambda: MappingProxyType({}))
    one_of: Mapping[Category, tuple[Scenario, ...]] = field(default_factory=lambda: MappingProxyType({}))
    datacenter_edge: CombinedSystem | None = None
    accuracy: tuple[AccuracyTarget, ...]
    accuracy_in: Mapping[Scenario, tuple[AccuracyTarget, ...]] = field(default_factory=lambda: MappingProxyType({}))
    accuracy_delta_percent: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    dataset_samples: int
    accuracy_samples: int | None = None
    accuracy_samples_in: Mapping[Scenario, int] = field(default_factory=lambda: MappingProxyType({}))
    performance_sample_count: int
    min_queries: Mapping[Scenario, int] = field(default_factory=lambda: MappingProxyType({}))
    min_duration_ms: int | None = None
    offline_min_samples: int | None = None
    latency_limit_ns: Mapping[Scenario, int] = field(default_factory=lambda: MappingProxyType({}))
    token_limits: Mapping[Scenario, TokenLimits] = field(default_factory=lambda: MappingProxyType({}))
    percentile: Mapping[Scenario, float] = field(default_factory=lambda: MappingProxyType({}))
    loadgen_model: Mapping[Scenario, str] = field(default_factory=lambda: MappingProxyType({}))
    equal_issue: bool = False
    token_latencies: Literal["measured", "inferred"] | None = None
    result_key: Mapping[Scenario, str] = field(default_factory=lambda: MappingProxyType({}))
    compliance: tuple[str, ...] = ()
    extra_files: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    endpoints: Literal["allowed", "only"] | None = None

    def targets(self, scenario: Scenario) -> tuple[AccuracyTarget, ...]:
        """The accuracy targets that hold in a scenario."""
        return self.accuracy_in.get(scenario, self.accuracy)

    def accuracy_count(self, scenario: Scenario) -> int:
        """How many samples an accuracy run of a scenario goes through."""
        return self.accuracy_samples_in.get(scenario) or self.accuracy_samples or self.dataset_samples


PLACEHOLDERS = frozenset({"log", "log_folder", "dataset", "model", "dtype", "output", "output_folder", "samples"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyScript:
    """How a benchmark's official accuracy comes out of LoadGen's accuracy log.

    `script` is its path in the rules repository (null: it stands elsewhere, `note` says where). In `arguments` the
    names of PLACEHOLDERS are filled in, and those of assets by their folders (`{bert-vocab}`). `dtype` is the
    reference's, `dtypes` what the script takes. `lines` gives for each metric the pattern of its line in accuracy.txt:
    one group, the number. `runs_answers`: it executes what the model wrote, so it needs a container of its own.
    """

    script: str | None = None
    arguments: tuple[str, ...] = ()
    dtype: str | None = None
    dtypes: tuple[str, ...] = ()
    lines: Mapping[str, str]
    example: tuple[str, ...] = ()
    output: Literal["stdout", "stderr", "file"] = "stdout"
    runs_answers: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One member of a family that shares a catalogue file: its model asset, the file in it, the input's size.

    `reference` is its published top-1 accuracy in percent: no round has a target for it (open division).
    """

    model: str | None = None
    file: str | None = None
    input: str | None = None
    reference: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """One way to run a benchmark: implementation, backend, devices, the assets it takes, and how far it was tried.

    `model` and `dataset` name assets, `assets` further ones (a vocabulary, a calibration list). `accuracy` replaces the
    benchmark's targets for this artefact (an int8 model has its own reference). Empty `scenarios` or `rounds` mean all
    that the benchmark has; empty `benchmarks`: all of `benchmarks` of the family's sheet. `parameters` are what the
    implementation's driver must know (a profile, a folder, a name). `requires` is what can be checked of the machine,
    `needs` what else the user must have, in words. `closed_blockers` say why no run of it can be
    submitted in the closed division.
    """

    implementation: str
    backend: str
    benchmarks: tuple[str, ...] = ()
    devices: tuple[Device, ...]
    image: str
    model: str | None = None
    model_file: str | None = None
    dataset: str | None = None
    assets: tuple[str, ...] = ()
    batch_size: int = 1
    accuracy: tuple[AccuracyTarget, ...] = ()
    scenarios: tuple[Scenario, ...] = ()
    rounds: tuple[str, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    default: bool = False
    requires: Requires = ANY_MACHINE
    needs: tuple[str, ...] = ()
    closed_blockers: tuple[str, ...] = ()
    evidence: Evidence = Evidence.PUBLISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One catalogue model. `rules` is keyed by round; the key `any` holds for all rounds (small suite).

    `family` is what its variants share (`bert` for bert-99 and bert-99.9): offers stand in
    `catalog/offers/<implementation>/<family>.yaml`, and the loader joins them to those written here. `retired`: no
    round of the catalogue has it any more; its rules are those of `last_round`, under the key `any`, for the open
    division alone. `open_only`: never part of the closed division. `reference_folder` is that of the rules repository.
    `calibration` names the lists and sets that quantisation may use.
    """

    name: str
    family: str | None = None
    retired: bool = False
    last_round: str | None = None
    open_only: bool = False
    suite: Suite
    task: str
    description: str
    loadgen_model: str
    checker_model: str | None = None
    aliases: tuple[str, ...] = ()
    dataset: str
    calibration: tuple[str, ...] = ()
    metric_samples_unit: str = "samples"
    reference_folder: str | None = None
    accuracy_script: AccuracyScript | None = None
    variants: Mapping[str, Variant] = field(default_factory=lambda: MappingProxyType({}))
    notes: tuple[str, ...] = ()
    rules: Mapping[str, BenchmarkRules]
    test: Mapping[Scenario, TestCount] = field(default_factory=lambda: MappingProxyType({}))
    offers: tuple[Offer, ...] = ()

    def rules_of(self, round_name: str) -> BenchmarkRules | None:
        """The rules in a round, or None where the benchmark is not part of it."""
        return self.rules.get(round_name) or self.rules.get("any")

    def variant(self, name: str) -> Benchmark:
        """One of `variants` as a benchmark: its offers take that member's model file; KeyError for another name."""
        own, models = self.variants[name], {None, *(each.model for each in self.variants.values())}
        offers = (replace(each, model=own.model, model_file=own.file) for each in self.offers if each.model in models)
        return replace(self, name=name, variants={name: own}, offers=tuple(offers))


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferSheet:
    """One file `catalog/offers/<implementation>/<family>.yaml`: how an implementation serves a family of benchmarks.

    `benchmarks` limits it to some of the family (99 only, say).
    """

    family: str
    benchmarks: tuple[str, ...] = ()
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredStep:
    """One container of an implementation that is written down instead of programmed.

    In `command`, `environment` and `produces`, `{model}` and the other names of docs/own-implementation.md are filled
    in. `role` is that of plan.Role; `modes` says for which modes the step is there (none: all). A `service` names the
    `health` command that ends with 0 inside its container once it serves.
    """

    name: str
    role: str = "result"
    image: str | None = None
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    modes: tuple[Mode, ...] = ()
    produces: tuple[str, ...] = ()
    health: tuple[str, ...] = ()
    network: str = "none"


class KnobKind(StrEnum):
    """What the value of a `--set` option may be."""

    WHOLE = "whole"  # a whole number, at least 1
    NUMBER = "number"  # more than 0
    CHOICE = "choice"  # one of `values`
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """One `--set` option of an implementation: `values` of a choice (the first is the default), a line of help."""

    kind: KnobKind = KnobKind.TEXT
    values: tuple[str, ...] = ()
    help: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """One way of driving a harness: who wrote it, what a user must bring, the backends it knows.

    `knobs` are the options `--set` takes, by backend; those under `any` belong to every backend. `driver` names the
    module of `orchestrator.implementations` that turns a decision into steps (default: the implementation's name);
    `declared` reads `steps` of the YAML file instead. `sources` are repositories it is built from
    (`--source NAME=DIR`), `sdks` archives that only the user can bring (`--sdk NAME=FILE`), each with where to get it.
    """

    name: str
    title: str
    description: str
    backends: tuple[str, ...]
    devices: tuple[Device, ...]
    drives: bool = False  # whether this version can drive it, or only describe what is needed
    user_supplies: tuple[str, ...] = ()
    knobs: Mapping[str, Mapping[str, Knob]] = field(default_factory=lambda: MappingProxyType({}))
    driver: str | None = None
    steps: tuple[DeclaredStep, ...] = ()
    sources: tuple[str, ...] = ()
    sdks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    custom_models: tuple[str, ...] = ()  # suffixes taken by --model-path without a catalogue entry
    evidence: Evidence = Evidence.PUBLISHED
