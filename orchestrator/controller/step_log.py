"""What a preparation step prints: its whole log on disk, secrets taken out, and the last lines for an error."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType

from orchestrator.domain.redact import redact, secrets_of

_KEPT_BYTES = 64 << 10
_QUOTED_LINES = 6


class StepLog:
    """A log file that grows while a step runs; as a context manager it begins afresh, and ends with its last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._secrets = secrets_of(os.environ)
        self._rest = b""
        self._kept = b""

    def __enter__(self) -> StepLog:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_bytes(b"")
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._flush()

    def write(self, piece: bytes) -> None:
        """Bytes as they come; whole lines are written at once, and so is what a progress bar draws over."""
        text = self._rest + piece
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        self._rest = text[end:]
        if end:
            self._append(text[:end])

    def line(self, text: str) -> None:
        """A line of our own; what was printed before it is no longer quoted."""
        self._flush()
        self._append(f"{text}\n".encode())
        self._kept = b""

    @property
    def last_error(self) -> str:
        """The step's own error line, else its last line."""
        lines = self._lines()
        said = next((line for line in reversed(lines) if line.startswith("error:")), None)
        return said or (lines[-1] if lines else "it said nothing")

    @property
    def quoted(self) -> str:
        """The last lines, indented, to stand behind an error's first line."""
        lines = self._lines()[-_QUOTED_LINES:]
        return "; its last lines:\n" + "\n".join(f"    {line}" for line in lines) if lines else "; it said nothing"

    def _lines(self) -> list[str]:
        text = redact(self._kept + self._rest, self._secrets).decode("utf-8", "replace")
        return [line.rstrip() for line in text.replace("\r", "\n").splitlines() if line.strip()]

    def _flush(self) -> None:
        if self._rest:
            self._append(self._rest + b"\n")
            self._rest = b""

    def _append(self, raw: bytes) -> None:
        clean = redact(raw, self._secrets)
        self._kept = (self._kept + clean)[-_KEPT_BYTES:]
        with self.path.open("ab") as file:
            file.write(clean)
