"""Call the whole command line in this process, in a folder and with settings of its own."""

from __future__ import annotations

import pytest

from orchestrator.cli.main import main
from tests.called import Called


class Call:
    """`call("run", "--model", …)`."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Called:
        code = main(arguments)
        said = self._capsys.readouterr()
        assert "Traceback" not in said.out + said.err
        return Called(code, said.out, said.err)
