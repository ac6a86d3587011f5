"""What a run is judged by, and the form of a reason. Values only; the opinions are in shortfall.py and verdict.py."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.domain.measurement import AccuracyLog, AccuracyResult, DetailLog
from orchestrator.domain.plan import Rules
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why: a stable code for scripts, a sentence for people."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What a run is judged by: what was asked, the rules, LoadGen's logs, the accuracy that was computed,
    and the weakenings on its record."""

    rules: Rules
    scenario: Scenario
    mode: Mode
    execution_mode: ExecutionMode
    log: DetailLog
    accuracy_log: AccuracyLog | None = None
    accuracy: AccuracyResult | None = None
    marks: tuple[str, ...] = ()


def accuracy_samples(log: DetailLog) -> int | None:
    """How many samples an accuracy run was over; LoadGen before 6.0.5 names only the size of the set."""
    if "effective_accuracy_sample_count" in log.values:
        return whole(log, "effective_accuracy_sample_count")
    return whole(log, "qsl_reported_total_count")


def whole(log: DetailLog, key: str) -> int | None:
    """A whole number of the log, or None."""
    value = log.values.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def shown(value: object) -> str:
    """A figure for a sentence; None is said to be unknown."""
    return "an unknown number of" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
