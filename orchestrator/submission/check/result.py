"""The figure of a result as the official summary has it: value, unit, inferred or not. Pure."""

from __future__ import annotations

from orchestrator.domain.measurement import DetailLog
from orchestrator.domain.terms import Scenario
from orchestrator.submission.check.accuracy import figures
from orchestrator.submission.check.performance import number, scenario_of
from orchestrator.submission.check.unit import Unit

_KEYS = {
    Scenario.OFFLINE: "result_samples_per_second",
    Scenario.SERVER: "result_completed_samples_per_sec",
    Scenario.INTERACTIVE: "result_completed_samples_per_sec",
    Scenario.SINGLE_STREAM: "early_stopping_latency_ss",
    Scenario.MULTI_STREAM: "early_stopping_latency_ms",
}
_LATENCIES = frozenset({Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM})
_NS_PER_MS = 1e6
_MULTI_STREAM_SAMPLES = 8


def value_of(unit: Unit) -> tuple[float | None, bool]:
    """The figure of performance/run_1 (latencies in ms), and whether it is inferred from another scenario's run."""
    log = unit.performance
    if log is None or unit.model is None:
        return None, False
    ran = scenario_of(log)
    if ran is None:
        return None, False
    folder = unit.scenario
    if folder is not None and ran is not folder and (ran, folder) != (Scenario.SERVER, Scenario.INTERACTIVE):
        return _inferred(log, ran, folder), True
    key = unit.model.rules.result_key.get(folder or ran) or unit.model.rules.result_key.get(ran) or _KEYS[ran]
    found = number(log, key)
    if found is not None and ran in _LATENCIES:
        found /= _NS_PER_MS
    return found, False


def _inferred(log: DetailLog, ran: Scenario, folder: Scenario) -> float | None:
    match ran, folder:
        case Scenario.SINGLE_STREAM, Scenario.OFFLINE:
            return number(log, "result_qps_without_loadgen_overhead")
        case Scenario.MULTI_STREAM, Scenario.OFFLINE:
            mean, samples = number(log, "result_mean_query_latency_ns"), number(log, "effective_samples_per_query")
            return samples * 1e9 / mean if mean and samples else None
        case Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM:
            found = number(log, "early_stopping_latency_ms")
            return found * _MULTI_STREAM_SAMPLES / _NS_PER_MS if found else None
        case _:
            return None


def accuracy_of(unit: Unit) -> tuple[tuple[str, float], ...]:
    """The metrics of accuracy.txt by name, the last figure of each."""
    if unit.accuracy_text is None or unit.model is None:
        return ()
    targets = unit.model.rules.targets(unit.scenario or Scenario.OFFLINE)
    found = figures(unit.accuracy_text, targets, unit.model.lines)
    return tuple((metric, values[-1][1]) for metric, values in found.items() if values)
