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
    """mlperf_log_detail.txt. `values`: first value of every key; repeated keys are named in `repeated`.

    `malformed` lists lines with the marker that are not a JSON object; `ended` is false when the log stops before
    LoadGen's own closing entry (`num_errors`), that is, when it was cut or the process died.
    """

    values: Mapping[str, LogValue] = field(default_factory=lambda: MappingProxyType({}))
    errors: tuple[LogMessage, ...] = ()
    warnings: tuple[LogMessage, ...] = ()
    repeated: tuple[str, ...] = ()
    malformed: tuple[int, ...] = ()
    lines: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyLog:
    """mlperf_log_accuracy.json: how many entries, how many distinct samples, its hash, whether it is whole."""

    entries: int
    distinct_samples: int
    sha256: str
    size_bytes: int
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyResult:
    """One metric, computed from LoadGen's accuracy log (a fraction unless the metric says else)."""

    metric: str
    value: float
    good: int | None = None
    total: int
    log_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """The headline figure of a performance run: LoadGen's own key, value and the unit that is shown."""

    key: str
    value: float
    unit: str
