"""A command of ours that has ended, whichever way it was called."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Called:
    """A command that has ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.stdout)

    def refuses(self, typed: str, meant: str) -> None:
        """It is a usage error whose first line names what was typed and what was meant; nothing is on stdout."""
        assert self.code == 2
        assert self.stdout == ""
        first = self.stderr.splitlines()[0]
        assert first.startswith("error: ")
        assert typed in first
        assert meant in first
