"""Call the whole command line in this process, in a folder and with settings of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from orchestrator.cli.main import main


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


class Call:
    """`call("run", "--model", …)`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Called:
        code = main(arguments)
        said = self._capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Called(code, said.out, said.err)
