"""Compare the catalogue's rules with the constants of the official checker. Reads nothing by itself."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.benchmark import AccuracyTarget, Benchmark, BenchmarkRules
from orchestrator.domain.terms import Category, Scenario

TYPES = {Category.DATACENTER: "datacenter", Category.EDGE: "edge"}


@dataclass
class Tally:
    """What was compared so far. `notes`: where the clone contradicts itself, or is silent."""

    count: int = 0
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def same(self, where: str, ours: object, theirs: object) -> None:
        """Compare one figure, or one set of names."""
        self.count += 1
        if ours == theirs:
            return
        fractions = [each for each in (ours, theirs) if isinstance(each, float) and not each.is_integer()]
        if len(fractions) == 2 and math.isclose(*fractions, rel_tol=1e-9):
            return
        self.wrong.append(f"{where}: catalogue {_shown(ours)}, upstream {_shown(theirs)}")

    def settings(self, where: str, ours: float | None, theirs: float, checker: float | None) -> None:
        """A figure of LoadGen's settings; where the checker has another, the catalogue follows the checker."""
        if checker is not None and not math.isclose(checker, theirs, rel_tol=1e-9):
            self.notes.append(f"{where}: LoadGen's settings have {theirs:g}, the checker {checker:g}")
        else:
            self.same(f"{where} (LoadGen's settings)", ours, theirs)


def _shown(value: object) -> str:
    if isinstance(value, set | frozenset | tuple):
        return f"[{', '.join(sorted(map(str, value)))}]"
    return "nothing" if value is None else str(value)


@dataclass(frozen=True)
class Upstream:
    """The constants of one checker, with the part of one round."""

    everything: Mapping[str, Any]
    part: Mapping[str, Any]
    round: str
    sizes: Mapping[str, int] = field(default_factory=dict)  # of data sets, in rounds that name them

    def of(self, section: str, model: str) -> Any:
        """A model's entry of a section of the round, or None."""
        return self.part.get(section, {}).get(model)


def check_rules(tally: Tally, one: Benchmark, rules: BenchmarkRules, there: Upstream) -> None:
    """Compare one benchmark's rules in one round with the checker's."""
    model = one.checker_model or one.name
    where = f"benchmarks/{one.name} {there.round}"
    own_place = not one.open_only or one.retired
    if own_place:
        tally.same(f"{where} is a benchmark", True, model in there.part["models"])
        _scenarios(tally, where, model, rules, there)
        _accuracy(tally, where, model, rules, there)
        _compliance(tally, where, model, rules, there)
        _extra_files(tally, where, model, rules, there)
        _names(tally, where, one, there)
    tally.same(
        f"{where} performance_sample_count",
        rules.performance_sample_count,
        there.of("performance-sample-count", model),
    )
    if "dataset-size" not in there.part and model in there.sizes:
        tally.same(f"{where} dataset_samples", rules.dataset_samples, there.sizes[model])
    elif "dataset-size" in there.part:
        tally.same(f"{where} dataset_samples", rules.dataset_samples, there.of("dataset-size", model))
        _accuracy_counts(tally, where, model, rules, there)
    if rules.min_duration_ms is not None:
        tally.notes.append(f"{where} min_duration_ms stands in the checker's code, not in its constants")
    _per_scenario(tally, f"{where} min_queries", rules, rules.min_queries, there.of("min-queries", model))
    limits = there.of("latency-constraint", model)
    _per_scenario(tally, f"{where} latency_limit_ns", rules, rules.latency_limit_ns, limits)
    if Scenario.OFFLINE in rules.scenarios:
        least = there.everything.get("OFFLINE_MIN_SPQ_SINCE_V4", {}).get(model)
        if "OFFLINE_MIN_SPQ_SINCE_V4" not in there.everything:
            least = there.everything.get("OFFLINE_MIN_SPQ")
        if least is not None:
            tally.same(f"{where} offline_min_samples", rules.offline_min_samples, least)
    if own_place and there.part.get("models_TEST01") is not None:
        _results(tally, where, model, rules, there)
        _tokens(tally, where, model, rules, there)


def _scenarios(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    both = rules.datacenter_edge
    for section in ("required", "optional"):
        for category, spelled in TYPES.items():
            asked = getattr(rules, section).get(category)
            theirs = there.of(f"{section}-scenarios-{spelled}", model)
            _names_of_scenarios(tally, f"{where} {section} {spelled}", asked, theirs, section)
        asked = getattr(both, section) if both is not None else None
        theirs = there.of(f"{section}-scenarios-datacenter-edge", model)
        _names_of_scenarios(tally, f"{where} {section} datacenter,edge", asked, theirs, section)


def _names_of_scenarios(tally: Tally, where: str, ours: Any, theirs: Any, section: str) -> None:
    empty = None if section == "required" else frozenset[str]()
    left = frozenset(map(str, ours)) if ours is not None else empty
    right = frozenset(theirs) if theirs is not None else empty
    if left or right:
        tally.same(where, left, right)


def _accuracy(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    target, upper = there.of("accuracy-target", model), there.of("accuracy-upper-limit", model) or ()
    limits = dict(zip(upper[::2], upper[1::2], strict=True))
    by_scenario = target if isinstance(target, dict) else {"all scenarios": target}
    if not isinstance(target, dict):
        tally.same(f"{where} targets of single scenarios", frozenset(rules.accuracy_in), frozenset())
    for scenario, wanted in by_scenario.items():
        targets = rules.targets(Scenario(scenario)) if isinstance(target, dict) else rules.accuracy
        ours = {one.metric: one for one in targets}
        lows = dict(zip(wanted[::2], wanted[1::2], strict=True)) if wanted else {}
        tally.same(f"{where} metrics in {scenario}", frozenset(ours), frozenset(lows) | frozenset(limits))
        for metric, one in ours.items():
            label = f"{where} {metric} in {scenario}"
            if metric in lows:
                tally.same(f"{label}, lower limit", _lower(one), lows[metric])
            if metric in limits or one.upper_limit is not None:
                tally.same(f"{label}, upper limit", one.upper_limit, limits.get(metric))
    delta = there.of("accuracy-delta-perc", model) or {}
    usual = 0.1 if "99.9" in model else 1
    for metric, percent in rules.accuracy_delta_percent.items():
        tally.same(f"{where} accuracy_delta_percent of {metric}", percent, delta.get(metric, usual))


def _lower(target: AccuracyTarget) -> float:
    if target.reference is None:
        return target.lowest or 0.0
    return target.reference * (target.multiplier if target.multiplier is not None else 1.0)


def _accuracy_counts(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    count = there.of("accuracy-sample-count", model) or there.of("dataset-size", model)
    if not isinstance(count, dict):
        tally.same(f"{where} accuracy_samples", {rules.accuracy_count(each) for each in rules.scenarios}, {count})
        return
    for scenario in rules.scenarios:
        tally.same(f"{where} accuracy samples in {scenario}", rules.accuracy_count(scenario), count.get(scenario.value))


def _per_scenario(
    tally: Tally, where: str, rules: BenchmarkRules, ours: Mapping[Scenario, int], theirs: Mapping[str, int] | None
) -> None:
    wanted = theirs or {}
    for scenario in rules.scenarios:
        if scenario in ours or scenario.value in wanted:
            tally.same(f"{where} {scenario}", ours.get(scenario), wanted.get(scenario.value))


def _compliance(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    sections = {name: models for name, models in there.part.items() if name.startswith("models_TEST")}
    if not sections:  # decided in the code of older checkers
        return
    wanted = frozenset(name.removeprefix("models_") for name, models in sections.items() if model in models)
    tally.same(f"{where} compliance", frozenset(rules.compliance), wanted)


def _extra_files(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    files = there.everything.get("REQUIRED_ACC_BENCHMARK", {}).get(model, {}).get(there.round, {})
    for folder in {*rules.extra_files, *files}:
        tally.same(f"{where} extra_files {folder}", rules.extra_files.get(folder), files.get(folder))


def _names(tally: Tally, where: str, one: Benchmark, there: Upstream) -> None:
    mapping = there.part.get("model_mapping", {})
    for name in (one.name, *one.aliases):
        if name in mapping and not one.retired:
            tally.same(f"{where} is what '{name}' stands for", one.checker_model, mapping[name])


def _results(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    usual = there.everything.get("RESULT_FIELD_NEW", {}).get(there.round, {})
    own = there.everything.get("RESULT_FIELD_BENCHMARK_OVERWRITE", {}).get(there.round, {}).get(model, {})
    for scenario in rules.scenarios:
        spelled = "Server" if scenario is Scenario.INTERACTIVE else scenario.value
        ours = rules.result_key.get(scenario, usual.get(spelled))
        tally.same(f"{where} result_key {scenario}", ours, own.get(spelled, usual.get(spelled)))
    if there.round == "v6.1":
        allowed = model in there.everything.get("ENDPOINTS_ALLOWED_MODELS", ())
        tally.same(f"{where} takes results of endpoints", rules.endpoints is not None, allowed)


def _tokens(tally: Tally, where: str, model: str, rules: BenchmarkRules, there: Upstream) -> None:
    limits = there.everything.get("LLM_LATENCY_LIMITS", {}).get(model, {})
    for scenario in rules.scenarios:
        wanted, ours = limits.get(scenario.value), rules.token_limits.get(scenario)
        if wanted or ours:
            tally.same(f"{where} ttft_ns {scenario}", ours and ours.ttft_ns, wanted and wanted["ttft"])
            tally.same(f"{where} tpot_ns {scenario}", ours and ours.tpot_ns, wanted and wanted["tpot"])


def check_lines(tally: Tally, one: Benchmark, there: Upstream) -> None:
    """The catalogue's pattern and the checker's must read the same number out of the same example."""
    script, patterns = one.accuracy_script, there.everything.get("ACC_PATTERN", {})
    for metric, line in script.lines.items() if script is not None else ():
        for example in script.example if script is not None else ():
            ours = re.search(line, example)
            theirs = re.match(patterns[metric], example) if metric in patterns else None
            if ours or theirs:
                where = f"benchmarks/{one.name} accuracy_script {metric} in {example!r}"
                tally.same(where, ours and ours[1], theirs and theirs[1])
