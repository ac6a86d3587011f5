"""Take figures out of a parsed detail log: headline, facts, estimates. Has no opinion of them: verdict.py has."""

from __future__ import annotations

import math
from dataclasses import replace

from orchestrator.domain.measurement import DetailLog, Rate, Result
from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.record import LoadGenFacts
from orchestrator.domain.terms import Scenario
from orchestrator.loadgen.user_conf import loadgen_scenario

_NS_PER_MS = 1e6
_LATENCY = "Latency (ms)"
# Key, unit, divisor: the metric of each scenario as the official checker takes it.
_HEADLINES: dict[Scenario, tuple[str, str, float]] = {
    Scenario.OFFLINE: ("result_samples_per_second", "Samples/s", 1.0),
    Scenario.SERVER: ("result_completed_samples_per_sec", "Queries/s", 1.0),
    Scenario.INTERACTIVE: ("result_completed_samples_per_sec", "Queries/s", 1.0),
    Scenario.SINGLE_STREAM: ("early_stopping_latency_ss", _LATENCY, _NS_PER_MS),
    Scenario.MULTI_STREAM: ("early_stopping_latency_ms", _LATENCY, _NS_PER_MS),  # a name: multi-stream, in ns
}
_TOKENS = "Tokens/s"
_PERCENTILES: dict[Scenario, str] = {
    Scenario.SINGLE_STREAM: "result_90.00_percentile_latency_ns",
    Scenario.MULTI_STREAM: "result_99.00_percentile_per_query_latency_ns",
}


def headline(log: DetailLog, scenario: Scenario, *, short: bool = False, key: str | None = None) -> Result | None:
    """The figure of a performance run, latencies in ms; None when the log does not hold it.

    `short` marks a run too short for LoadGen's early-stopping estimate (it then writes 0): the plain percentile stands
    in, and `Result.key` says so. `key` is the entry that a round takes instead of the scenario's own: tokens a second.
    """
    if key is not None:
        value, unit, divisor = number(log, key), *_unit_of(key)
        return None if value is None else Result(key=key, value=value / divisor, unit=unit)
    key, unit, divisor = _HEADLINES[scenario]
    # With token latencies LoadGen estimates a single stream's first tokens under this name.
    value = number(log, key) if scenario is not Scenario.SINGLE_STREAM or not has_token_latencies(log) else None
    short = short or (value is None and has_token_latencies(log))
    if value is None and short and scenario in _PERCENTILES:
        key = _PERCENTILES[scenario]
        value = number(log, key)
    return None if value is None else Result(key=key, value=value / divisor, unit=unit)


def has_token_latencies(log: DetailLog) -> bool:
    """Whether LoadGen measured first and further tokens."""
    return log.values.get("requested_use_token_latencies") is True


def token_figures(log: DetailLog) -> tuple[Result, ...]:
    """Of a run with token latencies: tokens a second, 99th percentiles of first-token and per-token time (ms).

    Empty for any other run; a figure that the log lacks (Offline has no latencies) is left out.
    """
    if not has_token_latencies(log):
        return ()
    found = (
        (key, number(log, key), *_unit_of(key))
        for key in (
            "result_tokens_per_second",
            "result_completed_tokens_per_second",
            "result_first_token_99.00_percentile_latency_ns",
            "result_time_per_output_token_99.00_percentile_ns",
        )
    )
    return tuple(
        Result(key=key, value=value / divisor, unit=unit) for key, value, unit, divisor in found if value is not None
    )


def _unit_of(key: str) -> tuple[str, float]:
    """Unit and divisor of a log entry, by its name."""
    if key.endswith("tokens_per_second"):
        return _TOKENS, 1.0
    if "time_per_output_token" in key:
        return "Time per token (ms)", _NS_PER_MS
    if "first_token" in key:
        return "Time to first token (ms)", _NS_PER_MS
    if key.endswith("_ns"):
        return _LATENCY, _NS_PER_MS
    return "Queries/s" if "completed" in key else "Samples/s", 1.0


def loadgen_facts(log: DetailLog) -> LoadGenFacts:
    """Version and seeds in force, as LoadGen wrote them; null where the log does not say."""
    version = log.values.get("loadgen_version")
    return LoadGenFacts(
        version=version if isinstance(version, str) else None,
        qsl_rng_seed=_whole(log, "effective_qsl_rng_seed"),
        sample_index_rng_seed=_whole(log, "effective_sample_index_rng_seed"),
        schedule_rng_seed=_whole(log, "effective_schedule_rng_seed"),
    )


def estimate(log: DetailLog, scenario: Scenario) -> Rate | None:
    """What a short estimating run of `scenario` says of the machine; None when the log is cut, or of another scenario.

    Offline and Server give samples per second alone; SingleStream and MultiStream the median latency of a query, too.
    """
    if not log.ended or log.values.get("effective_scenario") != loadgen_scenario(scenario):
        return None
    if scenario not in _PERCENTILES:
        rate = number(log, _HEADLINES[scenario][0])
        return None if rate is None else Rate(samples_per_second=rate)
    query = "query_" if scenario is Scenario.MULTI_STREAM else ""
    mean_ns = number(log, f"result_mean_{query}latency_ns")
    median_ns = number(log, f"result_50.00_percentile_{'per_' if query else ''}{query}latency_ns")
    samples = number(log, "effective_samples_per_query")
    if mean_ns is None or median_ns is None or samples is None:
        return None
    return Rate(samples_per_second=samples * 1e9 / mean_ns, latency_ms=median_ns / _NS_PER_MS)


def fill(settings: LoadGenSettings, rate: Rate) -> LoadGenSettings:
    """Settings with the field that `fit` names set to `fit_factor` × the estimate; unchanged without `fit`.

    A latency is never set above the estimate: LoadGen generates its queries beforehand from the latency it expects,
    and runs out of them when the system is faster. Where only a rate is known, 1000 / rate is at or below it.
    """
    match settings.fit:
        case None:
            return settings
        case "target_qps":
            return replace(settings, target_qps=_rounded(rate.samples_per_second * settings.fit_factor))
        case "target_latency_ms":
            latency_ms = rate.latency_ms if rate.latency_ms is not None else 1000.0 / rate.samples_per_second
            return replace(settings, target_latency_ms=_rounded(latency_ms * min(1.0, settings.fit_factor)))
        case unknown:
            raise ValueError(f"cannot fit {unknown}")


def number(log: DetailLog, key: str) -> float | None:
    """A figure of the log that is a finite number above 0, else None (LoadGen writes 0 for "no estimate")."""
    value = log.values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value > 0 else None


def _whole(log: DetailLog, key: str) -> int | None:
    value = log.values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
