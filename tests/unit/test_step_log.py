"""What a preparation step prints: kept whole, quoted in part, without secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.controller.step_log import StepLog


@pytest.fixture
def log(tmp_path: Path) -> StepLog:
    return StepLog(tmp_path / "logs" / "prepare-made.log")


def test_everything_is_kept_and_the_last_lines_are_quoted(log: StepLog) -> None:
    with log:
        log.line("$ python preprocess.py")
        for number in range(100):
            log.write(f"case {number}\n".encode())
        log.write(b"no newline")
    assert log.path.read_text().splitlines()[1:] == [*(f"case {number}" for number in range(100)), "no newline"]
    assert log.quoted.splitlines()[0] == "; its last lines:"
    assert log.quoted.splitlines()[1:] == [f"    case {number}" for number in range(95, 100)] + ["    no newline"]


def test_only_the_command_that_failed_is_quoted(log: StepLog) -> None:
    with log:
        log.write(b"of the first command\n")
        log.line("$ the second")
        assert log.quoted == "; it said nothing"
        log.write(b"error: of the second\nTraceback\n")
    assert log.last_error == "error: of the second"
    assert "first" not in log.quoted


def test_a_progress_bar_does_not_pile_up(log: StepLog) -> None:
    with log:
        for number in range(1000):
            log.write(f"\r{number}%".encode())
        assert log.path.stat().st_size > 1000  # written while it is drawn
        assert log.quoted.splitlines()[-1] == "    999%"


def test_a_secret_in_an_unfinished_line_is_not_quoted(log: StepLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLANTED_TOKEN", "hf_planted_0123456789")
    mine = StepLog(log.path)
    with mine:
        mine.write(b"using hf_planted_")
        mine.write(b"0123456789")
        assert mine.quoted.splitlines()[-1] == "    using ***"
    assert "planted" not in mine.path.read_text()


def test_a_new_attempt_begins_a_new_log(log: StepLog) -> None:
    with log:
        log.write(b"first\n")
    with StepLog(log.path) as again:
        again.write(b"second\n")
    assert log.path.read_text() == "second\n"
