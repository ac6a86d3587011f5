"""What keeps a run from being valid: LoadGen's own demands and the round's rules, with a remedy each. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from orchestrator.domain.benchmark import AccuracyTarget
from orchestrator.domain.case import Case, Reason, accuracy_samples, shown, whole
from orchestrator.domain.measurement import AccuracyResult
from orchestrator.domain.terms import Mode, Scenario
from orchestrator.domain.token_latency import (
    has_token_latencies,
    loosened_tokens,
    tokens_not_stopped,
    tokens_too_slow,
)

# The percentiles of the official rules; LoadGen lets a user.conf lower them without a word.
_PERCENTILE = {
    Scenario.SINGLE_STREAM: 0.90,
    Scenario.MULTI_STREAM: 0.99,
    Scenario.SERVER: 0.99,
    Scenario.INTERACTIVE: 0.99,
}


def shortfalls(run: Case) -> Iterator[Reason]:
    """Every reason against VALID, but those that make a run unclean (verdict.py has them)."""
    yield from _wrong_seeds(run)
    if run.mode is Mode.PERFORMANCE:
        yield from _loadgen_word(run)
        yield from _too_few(run)
        yield from _loosened(run)
    elif run.mode is Mode.ACCURACY:
        yield from _inaccurate(run)
    else:
        yield Reason(code="mode_not_judged", text=f"This version cannot judge a {run.mode.value} run.")


def _wrong_seeds(run: Case) -> Iterator[Reason]:
    seeds = run.rules.seeds
    for name, wanted in (
        ("qsl_rng_seed", seeds.qsl_rng_seed),
        ("sample_index_rng_seed", seeds.sample_index_rng_seed),
        ("schedule_rng_seed", seeds.schedule_rng_seed),
    ):
        if whole(run.log, f"effective_{name}") != wanted:
            version = run.log.values.get("loadgen_version", "unknown")
            yield Reason(
                code="wrong_seeds",
                text=f"The {name} is not this round's: the LoadGen that ran ({version}) is of another round, or its "
                f"settings were changed. This round needs LoadGen {run.rules.loadgen}; rebuild the image with it.",
            )
            return


def _loadgen_word(run: Case) -> Iterator[Reason]:
    log = run.log
    word = log.values.get("result_validity")
    before = tuple(_unmet(run))
    yield from before
    if word == "VALID" or (word == "INVALID" and before):
        return
    said = log.values.get("result_invalid_reason")
    why = f": {said.strip()}" if isinstance(said, str) and said.strip() else "."
    yield Reason(
        code="loadgen_invalid",
        text=f"LoadGen says INVALID{why}" if word == "INVALID" else "LoadGen's log holds no verdict of its own.",
    )


def _unmet(run: Case) -> Iterator[Reason]:
    met = {
        "min_duration": ("result_min_duration_met", _too_short(run)),
        "min_queries": (
            "result_min_queries_met",
            "The run ended before the minimum number of queries. Run again; if it happens again, "
            + _longer(run, "so that LoadGen generates more queries"),
        ),
        "early_stopping": ("early_stopping_met", _not_stopped(run)),
    }
    if run.scenario in {Scenario.SERVER, Scenario.INTERACTIVE}:
        met["latency"] = ("result_perf_constraints_met", _too_slow(run))
    for code, (key, text) in met.items():
        state = run.log.values.get(key)
        if state is not True:
            unknown = f"LoadGen's log does not say whether it met its demand '{key}'."
            yield Reason(code=f"{code}_not_met", text=text if state is False else unknown)


def _too_short(run: Case) -> str:
    asked = shown(whole(run.log, "effective_min_duration_ms"))
    return f"The run ended before its minimum duration of {asked} ms: {_longer(run, 'so that there is more to do')}"


def _longer(run: Case, purpose: str) -> str:
    values = run.log.values
    if run.scenario is Scenario.OFFLINE:
        rate = values.get("result_samples_per_second")
        measured = "what was measured" if rate is None else f"the measured {shown(rate)} samples/s"
        return f"raise --target-qps above {measured}, {purpose}."
    if run.scenario in {Scenario.SERVER, Scenario.INTERACTIVE}:
        return f"raise --target-qps, {purpose}."
    key = "result_mean_query_latency_ns" if run.scenario is Scenario.MULTI_STREAM else "result_mean_latency_ns"
    mean = values.get(key)
    measured = f"the measured {mean / 1e6:.4g} ms" if isinstance(mean, int | float) else "what was measured"
    return f"lower --target-latency below {measured}, {purpose}."


def _too_slow(run: Case) -> str:
    if has_token_latencies(run):
        return tokens_too_slow(run)
    limit = whole(run.log, "effective_target_latency_ns")
    found = run.log.values.get("result_99.00_percentile_latency_ns")
    figures = (
        f" (99th percentile {found / 1e6:.4g} ms, limit {limit / 1e6:.4g} ms)"
        if isinstance(found, int | float) and limit is not None
        else ""
    )
    rate = shown(run.log.values.get("result_completed_samples_per_sec"))
    return (
        f"Too many queries took longer than the latency limit{figures}: lower --target-qps below the "
        f"{rate} queries/s that were completed."
    )


def _not_stopped(run: Case) -> str:
    said = tokens_not_stopped(run) if has_token_latencies(run) else run.log.values.get("early_stopping_result")
    detail = f" LoadGen: {' '.join(said.replace('*', ' ').split())}" if isinstance(said, str) and said.strip() else ""
    remedy = (
        "run longer, or lower --target-qps"
        if run.scenario in {Scenario.SERVER, Scenario.INTERACTIVE}
        else "run longer (more queries)"
    )
    return f"Too few queries for a sure statement about the latency (early stopping): {remedy}.{detail}"


def _too_few(run: Case) -> Iterator[Reason]:
    """Settings below the rules'. Where early stopping holds it takes the place of the round's query counts."""
    rules, log = run.rules, run.log
    offline = run.scenario is Scenario.OFFLINE
    demands = [
        (
            "performance_samples",
            "effective_performance_sample_count",
            rules.performance_sample_count,
            "samples in the performance set",
        ),
    ]
    if offline and rules.min_query_count is not None:
        demands.append(("min_queries", "effective_min_query_count", rules.min_query_count, "queries as the minimum"))
    if offline and rules.offline_min_samples is not None:
        demands.append(("offline_samples", "effective_samples_per_query", rules.offline_min_samples, "samples asked"))
    if whole(log, "effective_min_duration_ms") is None:
        yield Reason(code="min_duration_unknown", text="LoadGen's log does not say which minimum duration was set.")
    for code, key, wanted, what in demands:
        found = whole(log, key)
        if found is None or found < wanted:
            yield Reason(code=f"too_few_{code}", text=f"{shown(found)} {what}; the rules ask for {wanted} or more.")


def _loosened(run: Case) -> Iterator[Reason]:
    """Settings of a user.conf or a forgotten audit.config that make the test easier than the rules'."""
    log, limit = run.log, run.rules.latency_limit_ns
    if run.scenario in _PERCENTILE:
        found = log.values.get("effective_target_latency_percentile")
        percent = run.rules.percentile
        wanted = _PERCENTILE[run.scenario] if percent is None else percent / 100
        if isinstance(found, bool) or not isinstance(found, int | float) or found < wanted - 1e-9:
            yield Reason(
                code="percentile_lowered",
                text=f"The latency percentile is {shown(found)}; the rules ask for {wanted}. "
                "Leave target_latency_percentile out of the user.conf.",
            )
    if run.scenario in {Scenario.SERVER, Scenario.INTERACTIVE}:
        target = whole(log, "effective_target_latency_ns")
        if target is None or (limit is not None and target > limit):
            yield Reason(
                code="latency_limit_raised",
                text=f"The latency limit was set to {shown(target)} ns; the rules allow {shown(limit)} ns.",
            )
        yield from loosened_tokens(run)
    for key in ("performance_issue_unique", "performance_issue_same"):
        if log.values.get(f"effective_{key}") is not False:
            yield Reason(
                code="audit_settings",
                text=f"{key} is not off, as in a compliance test: remove it from the user.conf, or the audit.config.",
            )


def _inaccurate(run: Case) -> Iterator[Reason]:
    rules, result = run.rules, run.accuracy
    if run.accuracy_log is None:
        yield Reason(code="accuracy_log_missing", text="There is no mlperf_log_accuracy.json to be judged.")
    asked = accuracy_samples(run.log)
    if asked != rules.dataset_samples:
        yield Reason(
            code="dataset_incomplete",
            text=f"LoadGen was given {shown(asked)} samples; the data set has {rules.dataset_samples}.",
        )
    if not rules.accuracy:
        yield Reason(code="accuracy_target_unknown", text="No accuracy target is known for this model.")
    if result is None:
        yield Reason(code="accuracy_unknown", text="No accuracy was computed from LoadGen's accuracy log.")
        return
    if result.total != rules.dataset_samples or (result.good is not None and not 0 <= result.good <= result.total):
        yield Reason(
            code="accuracy_samples",
            text=f"The accuracy is over {result.total} samples; the data set has {rules.dataset_samples}.",
        )
    for target in rules.accuracy:
        yield from _off_target(target, result, rules.dataset_samples)


def _off_target(target: AccuracyTarget, result: AccuracyResult, samples: int) -> Iterator[Reason]:
    value = result.value_of(target.metric)
    if value is None:
        yield Reason(code="accuracy_unknown", text=f"The metric {target.metric} was not computed.")
        return
    lower = target.lower_limit(samples)
    if not math.isfinite(value) or value < lower:
        yield Reason(
            code="accuracy_low",
            text=f"{target.metric} is {value:.6g}; at least {lower:.6g} is asked"
            + (f" (reference {target.reference:g})." if target.reference is not None else "."),
        )
    elif target.upper_limit is not None and value > target.upper_limit:
        yield Reason(
            code="accuracy_high",
            text=f"{target.metric} is {value:.6g}; at most {target.upper_limit:g} is allowed.",
        )
