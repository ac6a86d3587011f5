"""Parse mlperf_log_detail.txt as it streams by. Reads bytes, returns values; never opens a file, never judges."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from orchestrator.domain.measurement import DetailLog, LogMessage, LogValue

MARKER = b":::MLLOG"

_MAX_LINE_BYTES = 64 << 20  # loaded_qsl_set of the largest official data set is about 6 MB
_MAX_KEYS = 4096
_MAX_KEY_CHARS = 200
_MAX_TEXT_CHARS = 8192
_MAX_STORED = 100
_MAX_MESSAGE_CHARS = 1000
_COUNTS_ERRORS = (5, 0, 16)  # the first version that ends a performance log with the number of errors

# An entry exactly as LoadGen writes it, in ASCII. Whatever does not fit goes through json, ten times slower.
_ENTRY = re.compile(
    rb':::MLLOG \{"key": "([\w.%-]{1,200})", "value": '
    rb'("[^"\\\x00-\x1f\x7f-\xff]*(?:\\["\\/bfnrt][^"\\\x00-\x1f\x7f-\xff]*)*"'
    rb"|-?[0-9]{1,25}(?:\.[0-9]{1,25})?(?:e[+-]?[0-9]{1,3})?|true|false|\[[0-9,]*\]), "
    rb'"time_ms": [0-9.e+]{1,40}, "namespace": "mlperf::logging", "event_type": "[A-Z_]{1,40}", '
    rb'"metadata": \{"is_error": (true|false), "is_warning": (true|false), "file": "[\w./-]{0,200}", '
    rb'"line_no": [0-9]{1,9}, "pid": [0-9]{1,20}, "tid": [0-9]{1,20}\}\}\r?',
    re.ASCII,
)
_LINES = re.compile(rb"^(?:" + _ENTRY.pattern + rb"|(.*))$", re.ASCII | re.MULTILINE)
_VERSION = re.compile(r"(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?", re.ASCII)
_LITERALS: dict[bytes, bool] = {b"true": True, b"false": False}


class _NotAnEntryError(ValueError):
    """The line is not one of LoadGen's entries."""


class _Structured:
    """Stands for a list or an object, whose content nobody needs."""


_STRUCTURED = _Structured()
_Value = LogValue | _Structured


def parse_detail(chunks: Iterable[bytes]) -> DetailLog:
    """Read a whole detail log, given in pieces of any size; bounded memory, never raises for what the log holds."""
    reading = _Reading()
    for lines in _blocks(chunks):
        if isinstance(lines, bytes):
            reading.take_all(lines)
        else:
            for line in lines:
                reading.take(line)
    return reading.log()


class _Reading:
    def __init__(self) -> None:
        self.values: dict[str, _Value] = {}
        self.first: dict[bytes, bytes] = {}  # of entries that are neither error nor warning: the value as it stood
        self.repeated: dict[str, None] = {}
        self.contradicted: dict[str, None] = {}
        self.settled: set[bytes] = set()  # keys known to be contradicted: their further values do not matter
        self.errors: list[LogMessage] = []
        self.warnings: list[LogMessage] = []
        self.malformed: list[int] = []
        self.errors_left_out = self.warnings_left_out = self.malformed_left_out = 0
        self.lines = 0
        self.foreign = 0

    def take_all(self, block: bytes) -> None:
        """Whole lines at once, which is several times faster than one by one."""
        for raw_key, raw_value, raw_error, raw_warning, other in _LINES.findall(block, 0, len(block) - 1):
            if not raw_key:
                self.take(other)
                continue
            self.lines += 1
            try:
                self._matched(raw_key, raw_value, raw_error == b"true", raw_warning == b"true")
            except _NotAnEntryError:
                self._malformed()

    def _matched(self, raw_key: bytes, raw_value: bytes, error: bool, warning: bool) -> None:
        if not error and not warning:
            if self.first.get(raw_key) == raw_value:
                self.repeated.setdefault(raw_key.decode())
                return
            self.first.setdefault(raw_key, raw_value)
        if raw_key in self.settled and not self._room(error, warning):
            self.errors_left_out += error
            self.warnings_left_out += warning
        else:
            self._entry(raw_key.decode(), _plain(raw_value), error, warning)

    def take(self, line: bytes) -> None:
        """One line, without its end."""
        self.lines += 1
        match = _ENTRY.fullmatch(line)
        try:
            if match is not None:
                raw_key, raw_value, raw_error, raw_warning = match.groups()
                self._matched(raw_key, raw_value, raw_error == b"true", raw_warning == b"true")
            elif line.startswith(MARKER):
                self._entry(*_slow(line))
            elif line.strip():
                self.foreign += 1
        except _NotAnEntryError:
            self._malformed()

    def _room(self, error: bool, warning: bool) -> bool:
        return (error and len(self.errors) < _MAX_STORED) or (warning and len(self.warnings) < _MAX_STORED)

    def _entry(self, key: str, value: _Value, error: bool, warning: bool) -> None:
        if key in self.values:
            self.repeated[key] = None
            if not _same(self.values[key], value):
                self.contradicted[key] = None
                self.settled.add(key.encode(errors="replace"))
        elif len(self.values) < _MAX_KEYS:
            self.values[key] = value
        else:
            raise _NotAnEntryError("more distinct keys than LoadGen knows")
        if error and len(self.errors) < _MAX_STORED:
            self.errors.append(LogMessage(line=self.lines, key=key, text=_text(value)))
        elif error:
            self.errors_left_out += 1
        if warning and len(self.warnings) < _MAX_STORED:
            self.warnings.append(LogMessage(line=self.lines, key=key, text=_text(value)))
        elif warning:
            self.warnings_left_out += 1

    def _malformed(self) -> None:
        if len(self.malformed) < _MAX_STORED:
            self.malformed.append(self.lines)
        else:
            self.malformed_left_out += 1

    def log(self) -> DetailLog:
        known = {key: value for key, value in self.values.items() if not isinstance(value, _Structured)}
        return DetailLog(
            values=MappingProxyType(known),
            errors=tuple(self.errors),
            warnings=tuple(self.warnings),
            repeated=tuple(self.repeated),
            malformed=tuple(self.malformed),
            lines=self.lines,
            ended=_last_key(known) in known,
            contradicted=tuple(self.contradicted),
            foreign=self.foreign,
            errors_left_out=self.errors_left_out,
            warnings_left_out=self.warnings_left_out,
            malformed_left_out=self.malformed_left_out,
        )


def _last_key(known: Mapping[str, LogValue]) -> str:
    """The entry that a whole log ends with, by kind of test and version of LoadGen."""
    if known.get("effective_test_mode") == "AccuracyOnly":
        return "power_end"
    version = _VERSION.match(str(known.get("loadgen_version", "")))
    older = version is not None and tuple(map(int, version.groups(default="0"))) < _COUNTS_ERRORS
    return "result_99.90_percentile_latency_ns" if older else "num_errors"


def _same(first: _Value, second: _Value) -> bool:
    return type(first) is type(second) and (first == second or isinstance(first, _Structured))


def _text(value: _Value) -> str:
    return "(structured)" if isinstance(value, _Structured) else str(value)[:_MAX_MESSAGE_CHARS]


def _plain(raw: bytes) -> _Value:
    """A value as matched by `_ENTRY`."""
    first = raw[:1]
    if first == b'"':
        text = raw[1:-1].decode() if b"\\" not in raw else str(json.loads(raw))
        return text[:_MAX_TEXT_CHARS]
    if first == b"[":
        return _STRUCTURED
    if raw in _LITERALS:
        return _LITERALS[raw]
    if raw.isdigit():
        return int(raw)
    return _number(raw)


def _number(raw: bytes) -> int | float:
    if b"." not in raw and b"e" not in raw:
        return int(raw)
    number = float(raw)
    if not math.isfinite(number):
        raise _NotAnEntryError("a number out of range")
    return number


def _slow(line: bytes) -> tuple[str, _Value, bool, bool]:
    """Key, value, is_error, is_warning of any JSON entry after the marker."""
    try:
        entry = json.loads(
            line[len(MARKER) :].decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
    except (ValueError, RecursionError) as fault:
        raise _NotAnEntryError(str(fault)[:200]) from None
    if not isinstance(entry, dict) or "value" not in entry:
        raise _NotAnEntryError("not an object with a value")
    key, value, metadata = entry.get("key"), entry["value"], entry.get("metadata")
    if not isinstance(key, str) or not 0 < len(key) <= _MAX_KEY_CHARS or not isinstance(metadata, dict):
        raise _NotAnEntryError("no key, or no metadata")
    error, warning = metadata.get("is_error"), metadata.get("is_warning")
    if not isinstance(error, bool) or not isinstance(warning, bool):
        raise _NotAnEntryError("metadata without is_error or is_warning")
    if isinstance(value, list | dict):
        return key, _STRUCTURED, error, warning
    return key, value[:_MAX_TEXT_CHARS] if isinstance(value, str) else value, error, warning


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _NotAnEntryError("a name stands twice in one object")
    return made


def _refuse(constant: str) -> float:
    raise _NotAnEntryError(f"{constant} is not JSON")


def _finite(text: str) -> float:
    return float(_number(text.encode()))


def _whole(text: str) -> int:
    if len(text) > 25:
        raise _NotAnEntryError("a number out of range")
    return int(text)


def _blocks(chunks: Iterable[bytes]) -> Iterator[bytes | list[bytes]]:
    """Whole lines, whatever the pieces: as they stand, or as a list where one of them is over the limit.

    Of such a line only the first bytes (never an entry) remain.
    """
    held: list[bytes] = []
    held_bytes = 0
    stumped = False
    for chunk in chunks:
        held.append(chunk)
        held_bytes += len(chunk)
        end = chunk.rfind(b"\n") + 1
        if end == 0:
            if held_bytes > _MAX_LINE_BYTES:
                held, stumped = [_stump(b"".join(held))], True
            continue
        held[-1] = chunk[:end]
        block, rest = b"".join(held), chunk[end:]
        if stumped or held_bytes > _MAX_LINE_BYTES:
            lines = block.split(b"\n")[:-1]
            yield [
                _stump(line) if len(line) > _MAX_LINE_BYTES or (stumped and not at) else line
                for at, line in enumerate(lines)
            ]
        else:
            yield block
        held_bytes = len(rest)
        stumped = held_bytes > _MAX_LINE_BYTES
        held = [_stump(rest) if stumped else rest]
    if last := b"".join(held):
        yield [_stump(last) if stumped else last]


def _stump(line: bytes) -> bytes:
    return line[:64]
