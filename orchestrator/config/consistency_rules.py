"""Check one benchmark of the catalogue by itself: its rules in each round, its accuracy script, its variants.

Finds faults of the catalogue; knows nothing of offers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from orchestrator.domain.asset import Asset, AssetKind
from orchestrator.domain.benchmark import PLACEHOLDERS, AccuracyScript, AccuracyTarget, Benchmark, BenchmarkRules
from orchestrator.domain.compliance import ComplianceTest
from orchestrator.domain.terms import Scenario, Suite

ANY_ROUND = "any"
_MEASURED = "measured"
_SERVED = (Scenario.SERVER, Scenario.INTERACTIVE)
_TIMED = frozenset(_SERVED)


def benchmark_faults(
    benchmark: Benchmark,
    rounds: Collection[str],
    assets: Mapping[str, Asset],
    tests: Mapping[str, ComplianceTest],
) -> Iterator[str]:
    """One line for each fault of a benchmark file; `rounds` are the names of those that the catalogue has."""
    yield from _whole(benchmark)
    yield from _dataset(benchmark, assets)
    for name, rules in benchmark.rules.items():
        if name not in rounds and name != ANY_ROUND:
            yield f"has rules for the unknown round '{name}'"
        anywhere = benchmark.suite is Suite.SMALL or benchmark.retired
        if (name == ANY_ROUND) != anywhere:
            yield f"rules of '{name}': only the small suite and retired models have rules for any round, and only those"
        yield from (f"rules of '{name}': {fault}" for fault in _rules(benchmark, rules))
        for test in rules.compliance:
            if test not in tests:
                yield f"rules of '{name}': the compliance test '{test}' does not exist"
            elif name in rounds and tests[test].rounds and name not in tests[test].rounds:
                yield f"rules of '{name}': {test} is not a test of that round"
    scenarios = {scenario for rules in benchmark.rules.values() for scenario in rules.scenarios}
    yield from (f"tests {scenario}, which it does not have" for scenario in benchmark.test if scenario not in scenarios)
    if benchmark.accuracy_script is not None:
        yield from _script(benchmark, benchmark.accuracy_script, assets)
    yield from _variants(benchmark, assets)


def _whole(benchmark: Benchmark) -> Iterator[str]:
    if benchmark.suite is Suite.MLPERF:
        for field in ("family", "checker_model", "reference_folder", "accuracy_script"):
            if getattr(benchmark, field) is None:
                yield f"is a benchmark of MLPerf, but names no {field}"
    if benchmark.retired != (benchmark.last_round is not None):
        yield "only a retired benchmark has a last_round, and it must"
    if benchmark.retired and not benchmark.open_only:
        yield "is retired, so it is open_only"


def _dataset(benchmark: Benchmark, assets: Mapping[str, Asset]) -> Iterator[str]:
    asset = assets.get(benchmark.dataset)
    if asset is None:
        yield f"its data set, the asset '{benchmark.dataset}', does not exist"
    elif asset.kind is not AssetKind.DATASET:
        yield f"its data set '{benchmark.dataset}' is a {asset.kind}"
    for name in benchmark.calibration:
        if name not in assets:
            yield f"is calibrated with the asset '{name}', which does not exist"


def _rules(benchmark: Benchmark, rules: BenchmarkRules) -> Iterator[str]:
    used = _used(rules)
    yield from (f"{scenario} is used, but no scenario of it" for scenario in sorted(used - set(rules.scenarios)))
    official = benchmark.suite is Suite.MLPERF and not benchmark.open_only
    if official:
        asked = {each for needed in _demands(rules) for each in needed}
        yield from (f"nobody asks for {each}" for each in rules.scenarios if each not in asked)
    for category, choice in rules.one_of.items():
        if not set(choice) <= set(rules.optional.get(category, ())):
            yield f"{category}: one of {', '.join(choice)} is asked, but they are not optional"
    for category, needed in rules.required.items():
        for scenario in set(needed) & set(rules.optional.get(category, ())):
            yield f"{category}: {scenario} is required and optional"
    yield from _counts(benchmark, rules)
    yield from _limits(rules, official=official)
    if not rules.accuracy:
        yield "no accuracy target"
    for target in _targets(rules):
        yield from _target(target, rules.dataset_samples, official=official)
    yield from (
        f"the accuracy of {metric} may differ, but it is no metric"
        for metric in rules.accuracy_delta_percent
        if metric not in {target.metric for target in _targets(rules)}
    )


def _demands(rules: BenchmarkRules) -> Iterator[Iterable[Scenario]]:
    yield from (*rules.required.values(), *rules.optional.values())
    if rules.datacenter_edge is not None:
        yield from (rules.datacenter_edge.required, rules.datacenter_edge.optional, rules.datacenter_edge.one_of)


def _used(rules: BenchmarkRules) -> set[Scenario]:
    used = {scenario for needed in (*_demands(rules), *rules.one_of.values()) for scenario in needed}
    for keyed in (
        rules.min_queries,
        rules.latency_limit_ns,
        rules.token_limits,
        rules.percentile,
        rules.loadgen_model,
        rules.result_key,
        rules.accuracy_in,
        rules.accuracy_samples_in,
    ):
        used |= set(keyed)
    return used


def _counts(benchmark: Benchmark, rules: BenchmarkRules) -> Iterator[str]:
    if rules.performance_sample_count > rules.dataset_samples:
        yield "the performance sample count exceeds the data set"
    counts = [rules.accuracy_samples, *rules.accuracy_samples_in.values()]
    if any(count is not None and not 0 < count <= rules.dataset_samples for count in counts):
        yield "more accuracy samples than the data set has"
    offline = Scenario.OFFLINE in rules.scenarios
    if benchmark.suite is Suite.MLPERF and offline != (rules.offline_min_samples is not None):
        yield "offline_min_samples goes with the scenario Offline"
    if any(not numbers or not all(each.isdecimal() for each in numbers) for numbers in rules.extra_files.values()):
        yield "extra_files are sample numbers"


def _limits(rules: BenchmarkRules, *, official: bool) -> Iterator[str]:
    for scenario, limits in rules.token_limits.items():
        if scenario not in _TIMED:
            yield f"token limits of {scenario}: only {' and '.join(_SERVED)} have them"
        if not 0 < limits.tpot_ns < limits.ttft_ns:
            yield f"token limits of {scenario}: a further token may not take as long as the first"
    if rules.token_limits and rules.token_latencies != _MEASURED:
        yield "token limits without token_latencies: measured"
    for scenario in _SERVED:
        limited = scenario in rules.latency_limit_ns or scenario in rules.token_limits
        deferred = scenario is Scenario.INTERACTIVE and Scenario.SERVER in rules.latency_limit_ns
        if official and scenario in rules.scenarios and not (limited or deferred):
            yield f"no latency limit in {scenario}"


def _targets(rules: BenchmarkRules) -> Iterator[AccuracyTarget]:
    yield from rules.accuracy
    for targets in rules.accuracy_in.values():
        yield from targets


def _target(target: AccuracyTarget, samples: int, *, official: bool) -> Iterator[str]:
    if official and target.reference is None and target.lowest is None and target.upper_limit is None:
        yield f"{target.metric} has neither a reference nor a limit"
    if target.reference is not None and target.lowest is not None:
        yield f"{target.metric} has a reference, so its lowest value follows"
    if target.upper_limit is not None and target.upper_limit < target.lower_limit(samples):
        yield f"the limits of {target.metric} leave nothing between them"


def _script(benchmark: Benchmark, script: AccuracyScript, assets: Mapping[str, Asset]) -> Iterator[str]:
    metrics = {target.metric for rules in benchmark.rules.values() for target in _targets(rules)}
    yield from (f"accuracy_script: no line for {metric}" for metric in sorted(metrics - set(script.lines)))
    read: list[str] = []
    for metric, pattern in script.lines.items():
        try:
            compiled = re.compile(pattern)
        except re.error as error:
            yield f"accuracy_script: the line of {metric} is no pattern ({error})"
            continue
        if compiled.groups != 1:
            yield f"accuracy_script: the line of {metric} needs one group, the number"
        read += [line for line in script.example if compiled.search(line)]
    yield from (f"accuracy_script: no line reads the example {line!r}" for line in script.example if line not in read)
    for name in re.findall(r"\{([^}]*)\}", " ".join(script.arguments)):
        if name not in PLACEHOLDERS and name not in assets:
            yield f"accuracy_script: nothing fills in '{{{name}}}'"
    if script.dtypes and script.dtype not in script.dtypes:
        yield f"accuracy_script: '{script.dtype}' is none of its dtypes"


def _variants(benchmark: Benchmark, assets: Mapping[str, Asset]) -> Iterator[str]:
    for name, variant in benchmark.variants.items():
        asset = assets.get(variant.model) if variant.model is not None else None
        if variant.model is not None and (asset is None or asset.kind is not AssetKind.MODEL):
            yield f"variant {name}: there is no model '{variant.model}'"
        elif asset is not None and variant.file not in {file.name for file in asset.files}:
            yield f"variant {name}: '{variant.model}' has no file '{variant.file}'"
