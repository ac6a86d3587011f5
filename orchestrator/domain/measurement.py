"""What LoadGen and the accuracy step said, as values. Read by loadgen/, judged by verdict.py; no opinion here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

LogValue = None | bool | int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMessage:
    """An error or warning entry of the detail log, with its line (from 1)."""

    line: int
    key: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailLog:
    """mlperf_log_detail.txt. `values`: first value of every key (lists and objects are left out).

    `repeated` names the keys seen more than once, `contradicted` those of them whose values differ. `malformed` lists
    lines with the marker that are not a LoadGen entry; `foreign` counts lines without the marker. Stored entries are
    capped: `errors_left_out`, `warnings_left_out` and `malformed_left_out` count the rest. `ended` is false when the
    log stops before LoadGen's own closing entry (`num_errors`; `power_end` in accuracy runs, which have no other),
    that is, when it was cut or the process died.
    """

    values: Mapping[str, LogValue] = field(default_factory=lambda: MappingProxyType({}))
    errors: tuple[LogMessage, ...] = ()
    warnings: tuple[LogMessage, ...] = ()
    repeated: tuple[str, ...] = ()
    malformed: tuple[int, ...] = ()
    lines: int = 0
    ended: bool = False
    contradicted: tuple[str, ...] = ()
    foreign: int = 0
    errors_left_out: int = 0
    warnings_left_out: int = 0
    malformed_left_out: int = 0

    @property
    def error_count(self) -> int:
        """All error entries, those left out included."""
        return len(self.errors) + self.errors_left_out

    @property
    def readable(self) -> bool:
        """Whether every line was one of LoadGen's entries."""
        return self.lines > 0 and not self.malformed and not self.malformed_left_out and not self.foreign


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLog:
    """mlperf_log_accuracy.json: how many entries, how many distinct samples, its hash, whether it is whole.

    `fault` says where and how it departs from LoadGen's own form; null when it is whole.
    """

    entries: int
    distinct_samples: int
    sha256: str
    size_bytes: int
    whole: bool
    fault: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyResult:
    """What was computed from LoadGen's accuracy log, each figure in its metric's own scale.

    `others` are further metrics of the same log (ROUGE-2 beside ROUGE-1, tokens per sample …).
    """

    metric: str
    value: float
    good: int | None = None
    total: int
    log_sha256: str
    others: tuple[tuple[str, float], ...] = ()

    def value_of(self, metric: str) -> float | None:
        """The figure of a metric, or None when it was not computed."""
        return self.value if metric == self.metric else dict(self.others).get(metric)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The headline figure of a performance run: LoadGen's own key, value and the unit that is shown."""

    key: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What an estimating run showed: samples per second, and the latency of one query in ms (null where unknown)."""

    samples_per_second: float
    latency_ms: float | None = None
