"""Read mlperf_log_accuracy.json as it streams by: count, hash, wholeness. Never holds an answer, never scores one."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

from orchestrator.domain.measurement import AccuracyLog

# LoadGen's own form: an array of {"seq_id", "qsl_idx", "data" (upper-case hex)[, "token_data"][, "token_count"]}.
_GAP = rb"\s{0,8}"
_FIRST_TEXT = rb'\s*\{\s*"seq_id"\s*:\s*[0-9]{1,20}\s*,\s*"qsl_idx"\s*:\s*([0-9]{1,20})\s*,\s*"data"\s*:\s*"'


def _compiled(text: bytes) -> re.Pattern[bytes]:
    return re.compile(text.replace(rb"\s*", _GAP))


_OPEN = _compiled(rb"\s*\[")
_FIRST = _compiled(_FIRST_TEXT)
_NEXT = _compiled(rb"\s*," + _FIRST_TEXT)
_TOKENS = _compiled(rb'\s*,\s*"token_data"\s*:\s*"')
_ENTRY_END = _compiled(rb'\s*(?:,\s*"token_count"\s*:\s*-?[0-9]{1,20}\s*)?\}')
_CLOSE = _compiled(rb"\s*\]")
_BLANK = re.compile(rb"\s+")
_HEX = b"0123456789ABCDEFabcdef"
_LOOK_AHEAD_BYTES = 512  # more than anything between two answers takes


def read_accuracy_log(chunks: Iterable[bytes]) -> AccuracyLog:
    """Read a whole accuracy log, given in pieces of any size.

    Memory: one piece and the set of distinct sample indices. Never raises for what the log holds: `fault` says how it
    departs from LoadGen's form (cut off, not an array, an answer that is not hex), and reading then only hashes on.
    """
    reading = _Reading()
    digest = hashlib.sha256()
    size_bytes = 0
    for chunk in chunks:
        digest.update(chunk)
        size_bytes += len(chunk)
        reading.take(chunk)
    fault = reading.end()
    return AccuracyLog(
        entries=reading.entries,
        distinct_samples=len(reading.samples),
        sha256=digest.hexdigest(),
        size_bytes=size_bytes,
        whole=fault is None,
        fault=fault,
    )


class _Reading:
    """A state machine over what stands between answers; the answers are skipped by looking for their closing quote."""

    def __init__(self) -> None:
        self.samples: set[int] = set()
        self.entries = 0
        self.fault: str | None = None
        self.state = "start"
        self.sample = 0
        self.rest = b""

    def take(self, chunk: bytes) -> None:
        if self.fault is None:
            self.rest = self._read(self.rest + chunk, last=False)

    def end(self) -> str | None:
        if self.fault is None:
            self._read(self.rest, last=True)
        if self.fault is None and self.state != "after":
            self.fault = f"cut off after {self.entries} whole entries"
        return self.fault

    def _read(self, text: bytes, *, last: bool) -> bytes:
        """Go as far as the text allows; returns what has to wait for more."""
        at = 0
        while self.fault is None:
            if self.state == "answer":
                at = self._answer(text, at)
                if self.state == "answer":
                    return b""
                continue
            if not last and len(text) - at < _LOOK_AHEAD_BYTES:
                return text[at:]
            before, state = at, self.state
            at = self._between(text, at)
            if (at, self.state) == (before, state):
                self._stuck(text, at)
                return text[at:]
        return b""

    def _answer(self, text: bytes, at: int) -> int:
        close = text.find(b'"', at)
        piece = text[at : close if close >= 0 else len(text)]
        if piece.translate(None, _HEX):
            self.fault = f"entry {self.entries + 1} holds an answer that is not hex"
        if close < 0:
            return len(text)
        self.state = "answered"
        return close + 1

    def _between(self, text: bytes, at: int) -> int:
        """One step; the same position and state when nothing fits."""
        if self.state == "start" and (match := _OPEN.match(text, at)):
            self.state = "opened"
        elif self.state in {"opened", "entry"} and (
            match := (_FIRST if self.state == "opened" else _NEXT).match(text, at)
        ):
            self.sample, self.state = int(match[1]), "answer"
        elif self.state == "answered" and (match := _TOKENS.match(text, at)):
            self.state = "answer"
        elif self.state == "answered" and (match := _ENTRY_END.match(text, at)):
            self.samples.add(self.sample)
            self.entries += 1
            self.state = "entry"
        elif self.state in {"opened", "entry"} and (match := _CLOSE.match(text, at)):
            self.state = "after"
        elif self.state == "after" and (match := _BLANK.match(text, at)):
            pass
        else:
            return at
        return match.end()

    def _stuck(self, text: bytes, at: int) -> None:
        left = len(text) - at
        if self.state == "after" and not left:
            return
        if self.state == "start":
            self.fault = "not a JSON array" if text[at:].strip() else "empty"
        elif self.state == "after":
            self.fault = "something follows the end of the array"
        elif left >= _LOOK_AHEAD_BYTES:
            self.fault = f"not LoadGen's form after {self.entries} entries"
