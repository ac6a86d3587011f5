"""What a person may be told while things happen. The CLI renders it; tests collect it."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.terms import Phase


class Watcher(Protocol):
    """Hears of progress; must return at once."""

    def say(self, text: str) -> None:
        """One line for a person."""
        ...

    def begin_run(self, title: str, number: int, total: int) -> None:
        """A run of a set begins."""
        ...

    def phase(self, phase: Phase) -> None:
        """A phase begins."""
        ...

    def progress(self, completed: int, expected: int | None) -> None:
        """Samples completed so far, as the harness said it."""
        ...

    def transfer(self, what: str, done: int, total: int | None) -> None:
        """Bytes of a download that are here, of how many (None: unknown); from any thread."""
        ...


class Silent:
    """A watcher that does not care."""

    def say(self, text: str) -> None:
        """Ignore."""

    def begin_run(self, title: str, number: int, total: int) -> None:
        """Ignore."""

    def phase(self, phase: Phase) -> None:
        """Ignore."""

    def progress(self, completed: int, expected: int | None) -> None:
        """Ignore."""

    def transfer(self, what: str, done: int, total: int | None) -> None:
        """Ignore."""
