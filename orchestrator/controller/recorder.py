"""Write run.json at each transition and run.log as it comes, so that a crash leaves the truth behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType

from orchestrator import __version__
from orchestrator.controller.rundir import RunDir
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.record import Failure, PhaseTime, RunRecord, State
from orchestrator.domain.redact import RedactedLines, redact_text, secrets_of
from orchestrator.domain.terms import Phase
from orchestrator.errors import ExitCode, MlperfDockerError
from orchestrator.host.interruption import to_the_end
from orchestrator.host.owner import owner_label


def utc_now() -> str:
    """UTC time of now, ISO 8601 with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class RunLog:
    """run.log (or build.log): appended as bytes come, secrets taken out line by line."""

    def __init__(self, directory: RunDir, *, build: bool = False) -> None:
        self._path = directory.build_log if build else directory.log
        self._lines = RedactedLines(self._append, secrets_of(os.environ))

    def write(self, piece: bytes) -> None:
        """Take some bytes; whole lines are written at once."""
        self._lines.write(piece)

    def line(self, text: str) -> None:
        """A line of our own, with the time."""
        self.flush()
        self._lines.write(f"{utc_now()} {text}\n".encode())

    def flush(self) -> None:
        """Write an unfinished last line."""
        self._lines.flush()

    def _append(self, raw: bytes) -> None:
        with self._path.open("ab") as file:
            file.write(raw)


class Recorder:
    """The record of one run while it happens; `record` is the latest value, on disk at every phase's start and end.

    As a context manager it turns whatever ends the run into the record's state, and lets it pass.
    """

    def __init__(self, directory: RunDir, plan: RunPlan, *, announce: Callable[[Phase], None]) -> None:
        self.directory = directory
        self.log = RunLog(directory)
        self._announce = announce
        self.record = RunRecord(
            tool_version=__version__,
            run_id=plan.run_id,
            plan_fingerprint=plan.fingerprint,
            state=State.RUNNING,
            owner=owner_label(),
            started=utc_now(),
            marks=plan.marks,
        )

    def update(self, record: RunRecord) -> None:
        """Take a new value of the record (not yet written)."""
        self.record = record

    @contextmanager
    def phase(self, phase: Phase) -> Iterator[None]:
        """Time a phase; the file says which one runs, and how long the earlier ones took."""
        begun = PhaseTime(phase=phase, started=utc_now())
        clock = time.monotonic()
        self.update(replace(self.record, phases=(*self.record.phases, begun)))
        self.directory.write_record(self.record, durable=False)
        self.log.line(f"phase {phase.value}")
        self._announce(phase)
        try:
            yield
        finally:
            done = replace(begun, seconds=round(time.monotonic() - clock, 3))
            self.update(replace(self.record, phases=(*self.record.phases[:-1], done)))

    def __enter__(self) -> Recorder:
        self.directory.write_record(self.record, durable=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        state = State.DONE
        failure = None
        if isinstance(error, KeyboardInterrupt):
            state = State.INTERRUPTED
            failure = Failure(exit_code=ExitCode.INTERRUPTED, kind="interrupted", cause="interrupted by a signal")
        elif isinstance(error, MlperfDockerError):
            state = State.INTERRUPTED if error.exit_code is ExitCode.INTERRUPTED else State.FAILED
            kind_name = type(error).__name__
            failure = Failure(exit_code=error.exit_code, kind=kind_name, cause=str(error), hint=error.hint)
        elif error is not None:
            state = State.FAILED
            failure = Failure(exit_code=ExitCode.BUG, kind="bug", cause=f"{type(error).__name__}: {error}")
        to_the_end(lambda: self._close(state, _without_secrets(failure)))

    def _close(self, state: State, failure: Failure | None) -> None:
        """The last entry, then the seal; a second Ctrl-C waits until both are written."""
        if failure is not None:
            self.log.line(f"{state.value}: {failure.cause}")
        self.log.flush()
        self.update(replace(self.record, state=state, finished=utc_now(), failure=failure))
        self.directory.write_record(self.record, durable=True)
        self.directory.seal()


def _without_secrets(failure: Failure | None) -> Failure | None:
    """What programs said of their failure may hold what they were given."""
    if failure is None:
        return None
    secrets = secrets_of(os.environ)
    hint = redact_text(failure.hint, secrets) if failure.hint is not None else None
    return replace(failure, cause=redact_text(failure.cause, secrets), hint=hint)
