"""Every command block of README.md, and of the pages listed here, is executed.

`<!-- exit: 0,9 -->` before one gives the exit codes allowed.
"""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.host import process
from tests.e2e.command import environment

ROOT = Path(__file__).parents[2]
_BLOCK = re.compile(r"(?:<!-- exit: (?P<codes>[\d, ]+) -->\n)?```console\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)
_ALONE = "./scripts/test"  # never from inside itself


@dataclass(frozen=True)
class Shown:
    """One command of a block with the output that README shows of it."""

    command: str
    codes: frozenset[int]
    output: tuple[str, ...]

    @property
    def errors(self) -> list[str]:
        """The error lines shown."""
        return [line for line in self.output if line.startswith("error: ")]


def commands(page: str = "README.md") -> list[Shown]:
    """All commands of all `console` blocks, in order."""
    found: list[Shown] = []
    for block in _BLOCK.finditer((ROOT / page).read_text()):
        codes = frozenset(int(code) for code in (block["codes"] or "0").split(","))
        first, *parts = re.split(r"^\$ ", block["text"], flags=re.MULTILINE)
        assert first == ""
        assert parts, block["text"]
        for part in parts:
            command, *output = part.splitlines()
            found.append(Shown(command, codes, tuple(output)))
    return found


def in_bash(shown: Shown, cwd: Path) -> process.Completed:
    """Type the command into a shell, with this installation's program first in PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return process.run(
        ["bash", "-c", shown.command],
        cwd=cwd,
        environment={**environment(), "PATH": path, "EXAMPLE": str(ROOT / "docs" / "examples" / "own")},
        timeout_s=1800,
    )


OWN = [shown for shown in commands() if shown.command.startswith("mlperf-docker ")]
SCRIPTS = [shown for shown in commands() if shown.command.startswith("./scripts/")]


PAGES = [(page, shown) for page in ("docs/own-implementation.md",) for shown in commands(page)]


@pytest.mark.engine
@pytest.mark.parametrize(("page", "shown"), PAGES, ids=lambda one: one if isinstance(one, str) else one.command)
def test_a_command_of_a_page_does_what_it_says(docker_url: str, tmp_path: Path, page: str, shown: Shown) -> None:
    done = in_bash(shown, tmp_path)
    assert done.code in shown.codes, done.stderr
    assert [line for line in shown.errors if line not in done.stderr.splitlines()] == []


def test_every_block_has_commands_that_are_executed_here() -> None:
    assert len(OWN) >= 5
    assert {shown.command for shown in SCRIPTS} >= {"./scripts/quickstart", _ALONE}
    assert len(OWN) + len(SCRIPTS) == len(commands())


@pytest.mark.engine
@pytest.mark.parametrize("shown", OWN, ids=lambda shown: shown.command)
def test_a_command_of_the_readme_does_what_it_says(docker_url: str, tmp_path: Path, shown: Shown) -> None:
    done = in_bash(shown, tmp_path)
    assert done.code in shown.codes, done.stderr
    assert [line for line in shown.errors if line not in done.stderr.splitlines()] == []
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.engine
@pytest.mark.slow
@pytest.mark.parametrize("shown", [each for each in SCRIPTS if each.command != _ALONE], ids=lambda shown: shown.command)
def test_a_script_of_the_readme_works(docker_url: str, shown: Shown) -> None:
    done = in_bash(shown, ROOT)
    assert done.code in shown.codes, done.stderr
    assert "record: " in done.stderr or "quickstart" not in shown.command


def test_the_readme_s_test_command_is_what_ci_calls() -> None:
    assert re.search(r"^exec scripts/test --all$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
