"""Read what an execution left: LoadGen's logs and the accuracy step's result. Judges nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.measurement import AccuracyLog, AccuracyResult, DetailLog
from orchestrator.domain.plan import Rules
from orchestrator.domain.terms import Mode
from orchestrator.errors import HarnessError
from orchestrator.loadgen.accuracy import read_accuracy_log
from orchestrator.loadgen.accuracy_text import read_counts, read_metrics
from orchestrator.loadgen.detail import parse_detail

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """The logs as values; the accuracy parts only in accuracy mode."""

    detail: DetailLog
    accuracy_log: AccuracyLog | None
    accuracy: AccuracyResult | None


def collect(folder: Path, mode: Mode, rules: Rules) -> Collected:
    """Read the logs of one execution's folder; `rules` name the metrics that its accuracy.txt may hold.

    Our own harnesses write report.json, official accuracy scripts accuracy.txt; the former wins.
    """
    detail = parse_detail(pieces(folder / "mlperf_log_detail.txt"))
    if mode is not Mode.ACCURACY:
        return Collected(detail=detail, accuracy_log=None, accuracy=None)
    log = read_accuracy_log(pieces(folder / "mlperf_log_accuracy.json"))
    report, text = folder / "report.json", folder / "accuracy.txt"
    accuracy = _accuracy_result(report) if report.is_file() else None
    if accuracy is None and text.is_file():
        accuracy = _official_result(text, rules, log)
    return Collected(detail=detail, accuracy_log=log, accuracy=accuracy)


def _official_result(path: Path, rules: Rules, log: AccuracyLog) -> AccuracyResult | None:
    text = path.read_text(encoding="utf-8", errors="replace")
    found = read_metrics(text, [target.metric for target in rules.accuracy], rules.accuracy_lines)
    if not found:
        return None
    (first, value), *others = found.items()
    good, total = read_counts(text)
    return AccuracyResult(
        metric=first,
        value=value,
        good=good,
        total=total if total is not None else log.distinct_samples,
        log_sha256=log.sha256,
        others=tuple(others),
    )


def pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces of 1 MiB."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


def _accuracy_result(report: Path) -> AccuracyResult | None:
    try:
        found = json.loads(report.read_text())["accuracy"]
        if found is None:
            return None
        return AccuracyResult(
            metric=str(found["metric"]),
            value=float(found["value"]),
            good=int(found["good"]) if found.get("good") is not None else None,
            total=int(found["total"]),
            log_sha256=str(found["log_sha256"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(f"{report}: not the report that the harness should write: {error!r}") from error
