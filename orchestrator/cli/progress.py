"""How far downloads are: a live bar for each on a terminal, now and then a plain line elsewhere. Decides nothing.

It has no thread and no timer of its own: it draws when it is told something, and leaves nothing behind at the end.
"""

from __future__ import annotations

import atexit
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

_LINE_EVERY_S, _DRAW_EVERY_S = 10.0, 0.1
_WORTH_A_LINE_S = 2.0
_RATE_OVER_S = 10.0
_GIVEN_UP_S = 90.0  # longer than a transfer waits for a byte: nothing more will be heard of it
_BAR_WIDTH = 24
_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(slots=True)
class _Course:
    """One download: where and when it began, how far it was in the last seconds, when it was last spoken of."""

    begun_s: float
    first_bytes: int
    said_s: float
    total: int | None = None
    said: bool = False
    samples: deque[tuple[float, int]] = field(default_factory=deque)

    def hear(self, now_s: float, done: int, total: int | None) -> None:
        """So far it is now."""
        self.total = total
        self.samples.append((now_s, done))
        while len(self.samples) > 2 and now_s - self.samples[0][0] > _RATE_OVER_S:
            self.samples.popleft()

    @property
    def done(self) -> int:
        """Bytes that are here."""
        return self.samples[-1][1]

    @property
    def heard_s(self) -> float:
        """When it was last heard of."""
        return self.samples[-1][0]

    @property
    def rate(self) -> float:
        """Bytes a second of late."""
        (then_s, then), (now_s, done) = self.samples[0], self.samples[-1]
        return max(0.0, (done - then) / (now_s - then_s)) if now_s > then_s else 0.0


class Transfers:
    """A meter for any number of downloads at once, from any thread; `say` writes one plain line."""

    def __init__(
        self, say: Callable[[str], None], stream: TextIO, *, live: bool, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._say, self._stream, self._live, self._now = say, stream, live, now
        self._courses: dict[str, _Course] = {}
        self._bars: Live | None = None
        self._drawn_s = 0.0
        self._lock = threading.RLock()

    def __call__(self, what: str, done: int, total: int | None) -> None:
        """So many bytes of one download are here, of how many (None: unknown)."""
        with self._lock:
            now_s = self._now()
            course = self._courses.get(what)
            if course is None or done < course.done:
                course = _Course(begun_s=now_s, first_bytes=done, said_s=now_s)
                self._courses[what] = course
            course.hear(now_s, done, total)
            self._forget_silent(now_s)
            if total is not None and done >= total:
                self._end(what, course, now_s)
            elif self._live:
                self._draw(now_s)
            elif now_s - course.said_s >= _LINE_EVERY_S:
                course.said_s, course.said = now_s, True
                self._say(f"{what}: {_state(course)}")

    def settle(self) -> None:
        """Take the bars off the terminal, so that something else can be written; they come back by themselves."""
        with self._lock:
            if self._bars is not None:
                self._bars.stop()
                self._bars = None
                atexit.unregister(self.settle)

    def _forget_silent(self, now_s: float) -> None:
        for what, course in tuple(self._courses.items()):
            if now_s - course.heard_s > _GIVEN_UP_S:
                del self._courses[what]

    def _end(self, what: str, course: _Course, now_s: float) -> None:
        del self._courses[what]
        came, took_s = course.done - course.first_bytes, now_s - course.begun_s
        worth_a_line = took_s > 0 and (course.said or took_s >= _WORTH_A_LINE_S)
        if worth_a_line or not self._courses:
            self.settle()
        if worth_a_line:
            self._say(f"{what}: {size(came)} in {duration(took_s)} ({size(came / took_s)}/s)")

    def _draw(self, now_s: float) -> None:
        if self._bars is not None and now_s - self._drawn_s < _DRAW_EVERY_S:
            return
        self._drawn_s = now_s
        table = _table(self._courses)
        if self._bars is None:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self._stream)
            self._bars = Live(
                table, console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            atexit.register(self.settle)  # whatever ends the process, the terminal gets its cursor back
            self._bars.start(refresh=True)
        else:
            self._bars.update(table, refresh=True)


def _table(courses: dict[str, _Course]) -> Table:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(width=_BAR_WIDTH)
    table.add_column(no_wrap=True)
    for what, course in courses.items():
        bar = ProgressBar(total=course.total, completed=course.done, width=_BAR_WIDTH, pulse=course.total is None)
        table.add_row(Text(f"  {what}"), bar, Text(_state(course)))
    return table


def _state(course: _Course) -> str:
    done, total, rate = course.done, course.total, course.rate
    if total is None:
        return f"{size(done)} at {size(rate)}/s"
    left = f"{duration((total - done) / rate)} left" if rate > 0 else "standing still"
    return f"{size(done)} of {size(total)} ({100 * done // total} %) at {size(rate)}/s, {left}"


def size(count: float) -> str:
    """Bytes for a person, in powers of 1000: `1.3 GB`."""
    for unit, factor in _UNITS:
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count:.0f} B"


def duration(seconds: float) -> str:
    """Seconds for a person: `42 s`, `7 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
