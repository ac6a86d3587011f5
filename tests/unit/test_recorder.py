"""run.json tells the truth at every moment; run.log has everything but secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.controller.recorder import Recorder, RunLog
from orchestrator.controller.reread import reread, states
from orchestrator.controller.rundir import RunDir
from orchestrator.domain.terms import Phase
from orchestrator.errors import AssetError, HarnessError, InterruptedRun, MlperfDockerError, UsageError
from tests.unit.plans import a_plan


@pytest.fixture
def directory(tmp_path: Path) -> RunDir:
    return RunDir.create(tmp_path, a_plan())


def recorder(directory: RunDir) -> Recorder:
    return Recorder(directory, a_plan(), announce=lambda _: None)


def on_disk(directory: RunDir) -> Any:
    return json.loads(directory.record.read_text())


def test_while_a_phase_runs_the_file_says_which(directory: RunDir) -> None:
    with recorder(directory) as it:
        assert (on_disk(directory)["state"], on_disk(directory)["phases"]) == ("running", [])
        with it.phase(Phase.IMAGE):
            pass
        with it.phase(Phase.MEASURE):
            image, measure = on_disk(directory)["phases"]
            assert on_disk(directory)["state"] == "running"
            assert (image["phase"], measure["phase"]) == ("image", "measure")
            assert image["seconds"] is not None
            assert measure["seconds"] is None
    assert on_disk(directory)["state"] == "done"
    assert on_disk(directory)["finished"] is not None
    assert directory.broken_seal() == ()


def test_each_phase_is_announced_as_it_begins(directory: RunDir) -> None:
    heard: list[Phase] = []
    with Recorder(directory, a_plan(), announce=heard.append) as it, it.phase(Phase.IMAGE):
        assert heard == [Phase.IMAGE]


@pytest.mark.parametrize(
    ("error", "state", "code"),
    [
        (HarnessError("it broke", hint="mend it"), "failed", 8),
        (AssetError("it is not there"), "failed", 4),
        (InterruptedRun("asked to stop"), "interrupted", 130),
        (KeyboardInterrupt(), "interrupted", 130),
        (ZeroDivisionError("oh"), "failed", 70),
    ],
)
def test_whatever_ends_a_run_is_on_its_sealed_record_and_goes_on(
    directory: RunDir, error: BaseException, state: str, code: int
) -> None:
    with pytest.raises(type(error)), recorder(directory) as it, it.phase(Phase.MEASURE):
        raise error
    found = on_disk(directory)
    assert (found["state"], found["failure"]["exit_code"]) == (state, code)
    assert str(error) in found["failure"]["cause"]
    assert found["failure"]["hint"] == getattr(error, "hint", None)
    assert found["phases"][-1]["seconds"] is not None
    assert found["failure"]["cause"] in directory.log.read_text()
    assert directory.broken_seal() == ()


def test_a_controller_that_dies_leaves_the_phase_it_died_in(directory: RunDir, tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        with recorder(directory) as it, it.phase(Phase.MEASURE):
            os._exit(9)
    os.waitpid(child, 0)
    assert (on_disk(directory)["state"], on_disk(directory)["phases"][-1]["phase"]) == ("running", "measure")
    assert [state for _, state in states(tmp_path)] == ["crashed"]
    with pytest.raises(HarnessError, match="its controller died in phase measure"):
        reread(directory.path)


def test_a_run_that_goes_on_is_not_shown_as_finished(directory: RunDir, tmp_path: Path) -> None:
    with recorder(directory) as it, it.phase(Phase.MEASURE):
        assert [state for _, state in states(tmp_path)] == ["running"]
        with pytest.raises(UsageError, match="still runs"):
            reread(directory.path)


def test_a_plan_without_a_record_is_planned(directory: RunDir, tmp_path: Path) -> None:
    assert [state for _, state in states(tmp_path)] == ["planned"]
    with pytest.raises(UsageError, match="never carried out"):
        reread(directory.path)


def test_a_record_that_cannot_be_read_is_told(directory: RunDir, tmp_path: Path) -> None:
    directory.record.write_text("{")
    assert [state for _, state in states(tmp_path)] == ["unreadable"]


def test_a_changed_file_is_told_when_a_run_is_read_back(directory: RunDir) -> None:
    with recorder(directory):
        pass
    assert reread(directory.path).record.state.value == "done"
    directory.log.write_text("changed")
    with pytest.raises(MlperfDockerError, match=r"the seal is broken: run\.log"):
        reread(directory.path)


def test_secrets_are_not_in_the_log_however_they_come(directory: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_TOKEN", "sesame-open-1")
    log = RunLog(directory)
    for piece in (b"before ses", b"ame-op", b"en-1 after\nhttps://me:pass", b"word@host/x\nlast sesame-open-1"):
        log.write(piece)
    log.line("said sesame-open-1")
    log.flush()
    text = directory.log.read_text()
    assert "before *** after\n" in text
    assert "https://***@host/x\n" in text
    assert "last ***\n" in text
    assert "said ***\n" in text
    assert "sesame" not in text
    assert "password" not in text


def test_whole_lines_are_in_the_log_at_once(directory: RunDir) -> None:
    log = RunLog(directory)
    log.write(b"one\ntw")
    assert directory.log.read_bytes() == b"one\n"
    log.flush()
    assert directory.log.read_bytes() == b"one\ntw\n"


def test_a_build_log_exists_only_when_something_was_built(directory: RunDir) -> None:
    log = RunLog(directory, build=True)
    log.flush()
    assert not directory.build_log.exists()
    log.write(b"step 1\n")
    assert directory.build_log.read_bytes() == b"step 1\n"
