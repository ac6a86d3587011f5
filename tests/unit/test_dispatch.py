"""Every ending of a command becomes an exit code and a clear last word; a bug of ours never shows its traceback."""

from __future__ import annotations

import errno
import re
import signal
import sys
from pathlib import Path

import pytest

from orchestrator.cli.commands import COMMANDS, Command
from orchestrator.cli.main import root_help
from tests.unit.cli_calls import Call, Called

COMMAND = """
import os, signal
import typer
from orchestrator.errors import *
app = typer.Typer()
@app.command()
def command(json_: bool = typer.Option(False, "--json")) -> int:
    {body}
"""


class Ending:
    """Registers a command whose body is given, and calls it."""

    def __init__(self, call: Call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._call = call
        self._folder = folder
        self._monkeypatch = monkeypatch

    def __call__(self, body: str, *arguments: str) -> Called:
        (self._folder / "a_command.py").write_text(COMMAND.format(body=body))
        self._monkeypatch.syspath_prepend(str(self._folder))
        self._monkeypatch.delitem(sys.modules, "a_command", raising=False)
        self._monkeypatch.setitem(COMMANDS, "act", Command("a_command", "for tests"))
        return self._call("act", *arguments)


@pytest.fixture
def ending(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ending:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two bodies of one second would look the same
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return Ending(call, tmp_path, monkeypatch)


def test_what_a_command_returns_is_the_exit_code(ending: Ending) -> None:
    assert ending("return 9").code == 9
    assert ending("return None").code == 0
    assert ending("raise typer.Exit(5)").code == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("MlperfDockerError('why', hint='do')", 1),
        ("UsageError('why', hint='do')", 2),
        ("PreflightError('why', hint='do')", 3),
        ("AssetError('why', hint='do')", 4),
        ("ImageError('why', hint='do')", 5),
        ("EngineError('why', hint='do')", 6),
        ("HarnessError('why', hint='do')", 8),
        ("InterruptedRun('why', hint='do')", 130),
    ],
)
def test_an_error_is_said_with_its_remedy_and_its_own_code(ending: Ending, error: str, code: int) -> None:
    called = ending(f"raise {error}")
    assert (called.code, called.stdout, called.stderr) == (code, "", "error: why\nhint: do\n")
    document = ending(f"raise {error}", "--json").document
    assert (document["exit_code"], document["error"]["cause"], document["error"]["hint"]) == (code, "why", "do")


def test_every_fault_of_a_text_is_a_line_of_its_own(ending: Ending) -> None:
    called = ending("raise ConfigError(('a.yaml:1:1: one', 'a.yaml:2:1: two'))")
    assert called.stderr == "error: a.yaml:1:1: one\nerror: a.yaml:2:1: two\n"


def test_the_place_of_a_fault_comes_first(ending: Ending) -> None:
    assert ending("raise UsageError('bad', where='a.yaml:3:4')").stderr == "error: a.yaml:3:4: bad\n"


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_bug_is_exit_70_with_the_traceback_in_a_named_file(ending: Ending, arguments: tuple[str, ...]) -> None:
    called = ending("return 1 // 0", *arguments)
    assert called.code == 70
    assert "a bug of mlperf-docker: ZeroDivisionError" in called.stderr
    named = re.search(r"please report it with (\S+)", called.stderr)
    assert named is not None
    assert "Traceback" in Path(named[1]).read_text()
    assert "1 // 0" in Path(named[1]).read_text()
    if arguments:
        assert called.document["exit_code"] == 70


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_full_or_closed_disk_is_not_a_bug_of_ours(ending: Ending, number: int) -> None:
    called = ending(f"raise OSError({number}, os.strerror({number}), '/some/file')")
    assert called.code == 1
    assert called.stderr.startswith("error: /some/file: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_exit_130_and_says_how_to_go_on(ending: Ending, number: signal.Signals) -> None:
    called = ending(f"os.kill(os.getpid(), {int(number)})", "--json")
    assert called.code == 130
    assert called.document["exit_code"] == 130
    assert "--resume" in called.stderr


def test_under_nohup_a_closed_terminal_stops_nothing(ending: Ending) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    assert ending(f"os.kill(os.getpid(), {int(signal.SIGHUP)})").code == 0


def test_an_abort_at_a_question_is_an_interruption(ending: Ending) -> None:
    assert ending("raise typer.Abort()").code == 130


def test_a_reader_that_goes_away_is_no_bug(ending: Ending) -> None:
    called = ending("raise BrokenPipeError()")
    assert (called.code, called.stderr) == (1, "")


def test_an_unknown_option_of_a_command_says_how_to_get_help(ending: Ending) -> None:
    called = ending("return 0", "--jsn")
    assert called.code == 2
    assert "hint: mlperf-docker act --help lists what is possible" in called.stderr


def test_the_root_help_lists_every_command_and_a_first_run(call: Call) -> None:
    for arguments in ((), ("--help",), ("-h",)):
        called = call(*arguments)
        assert (called.code, called.stdout) == (0, root_help())
    assert len(COMMANDS) >= 9
    assert all(f"\n  {name} " in root_help() for name in COMMANDS)


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_explains_itself(call: Call, name: str) -> None:
    called = call(name, "--help")
    assert called.code == 0
    assert f"Usage: mlperf-docker {name}" in called.stdout


def test_the_version_names_the_loadgen_of_each_round(call: Call) -> None:
    lines = call("--version").stdout.splitlines()
    assert lines[0].startswith("mlperf-docker ")
    assert all(re.fullmatch(r"  round v\d+\.\d+: LoadGen [\d.]+( \(default\))?", line) for line in lines[1:])
    assert sum("(default)" in line for line in lines) == 1
