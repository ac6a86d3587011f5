"""Render: JSON or tables on stdout, plain progress lines on stderr. Knows the terminal; decides nothing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.domain.canonical import pretty_json, to_json
from orchestrator.domain.redact import redact_text, redact_tree, secrets_of
from orchestrator.domain.terms import Phase

if TYPE_CHECKING:
    from rich.console import Console

    from orchestrator.cli.progress import Transfers

_NO_TERMINAL_WIDTH = 200


def write_json(document: object) -> None:
    """The one JSON document of a command, without secrets."""
    text = pretty_json(document)
    if redact_text(text) != text:
        text = pretty_json(redact_tree(to_json(document)))
    sys.stdout.write(text)


def stdout_console() -> Console:
    """Where tables go: the terminal's own width, or wide enough not to wrap."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _NO_TERMINAL_WIDTH
    return Console(width=width, highlight=False, no_color="NO_COLOR" in os.environ or None)


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None) -> None:
    """A table on stdout; cells are plain text, never markup."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, title=title, title_justify="left", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(redact_text(cell)) for cell in row))
    console = stdout_console()
    with console.capture() as drawn:
        console.print(table)
    lines = [line.rstrip() for line in drawn.get().splitlines()]
    sys.stdout.write("\n".join(line for line in lines if line) + "\n")


def write_lines(lines: Sequence[str]) -> None:
    """Plain lines on stdout."""
    sys.stdout.write(redact_text("".join(f"{line}\n" for line in lines)))


def say(text: str) -> None:
    """A line on stderr, without secrets."""
    sys.stderr.write(redact_text(f"{text}\n", secrets_of(os.environ)))
    sys.stderr.flush()


class Progress:
    """A watcher that writes to stderr: plain lines, and on a terminal one line that is rewritten while LoadGen runs.

    It has no thread and no timer: it speaks only when it is told something, so a measurement is not disturbed.
    """

    def __init__(self, *, quiet: bool = False, verbose: bool = False) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._live = sys.stderr.isatty() and not quiet
        self._head = ""
        self._phase = ""
        self._since = time.monotonic()
        self._dangling = False
        self._transfers: Transfers | None = None

    def say(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self._settle()
            say(f"  {text}")

    def begin_run(self, title: str, number: int, total: int) -> None:
        """A run of a set begins."""
        self._head = f"[{number}/{total}] {title}"
        if not self._quiet:
            self._settle()
            say(self._head)

    def phase(self, phase: Phase) -> None:
        """A phase begins."""
        self._phase = phase.value
        self._since = time.monotonic()
        if self._live:
            self._rewrite(f"  {phase.value}")
        elif self._verbose or phase is Phase.MEASURE:
            self.say(phase.value)

    def progress(self, completed: int, expected: int | None) -> None:
        """Samples completed so far."""
        of = f" of {expected}" if expected else ""
        text = f"  {self._phase} {time.monotonic() - self._since:.0f} s, {completed}{of} samples"
        if self._live:
            self._rewrite(text)
        elif not self._quiet:
            say(text)

    def transfer(self, what: str, done: int, total: int | None) -> None:
        """Bytes of a download that are here, of how many."""
        if self._quiet:
            return
        if self._transfers is None:
            from orchestrator.cli.progress import Transfers

            self._transfers = Transfers(lambda text: say(f"  {text}"), sys.stderr, live=self._live)
        self._settle_line()
        self._transfers(what, done, total)

    def done(self) -> None:
        """Nothing more will come."""
        self._settle()

    def _rewrite(self, text: str) -> None:
        self._settle()
        sys.stderr.write(f"\r\x1b[2K{text}")
        sys.stderr.flush()
        self._dangling = True

    def _settle(self) -> None:
        self._settle_line()
        if self._transfers is not None:
            self._transfers.settle()

    def _settle_line(self) -> None:
        if self._dangling:
            sys.stderr.write("\r\x1b[2K")
            self._dangling = False
