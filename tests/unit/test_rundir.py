"""The run directory: never reused, sealed as the last act, and a broken seal is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.controller.rundir import RunDir
from orchestrator.errors import MlperfDockerError
from orchestrator.host import process
from tests.unit.plans import a_plan


@pytest.fixture
def directory(tmp_path: Path) -> RunDir:
    made = RunDir.create(tmp_path, a_plan())
    (made.path / "loadgen").mkdir()
    (made.path / "loadgen" / "user.conf").write_text("*.Offline.target_qps = 1\n")
    return made


def test_a_run_directory_is_never_reused(tmp_path: Path) -> None:
    plan = a_plan()
    RunDir.create(tmp_path, plan)
    with pytest.raises(MlperfDockerError, match="exists already"):
        RunDir.create(tmp_path, plan)


def test_results_below_a_file_are_refused_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(MlperfDockerError) as caught:
        RunDir.create(tmp_path, a_plan())
    assert "--results-dir" in (caught.value.hint or "")


def test_the_seal_is_in_the_form_of_sha256sum(directory: RunDir) -> None:
    directory.seal()
    checked = process.run(["sha256sum", "-c", "SHA256SUMS"], cwd=directory.path)
    assert checked.ok
    assert "loadgen/user.conf: OK" in checked.stdout
    assert "plan.json: OK" in checked.stdout


def test_a_whole_seal_is_not_broken(directory: RunDir) -> None:
    directory.seal()
    assert directory.broken_seal() == ()


@pytest.mark.parametrize("harm", ["change", "remove", "add"])
def test_a_changed_removed_or_added_file_breaks_the_seal(directory: RunDir, harm: str) -> None:
    directory.seal()
    victim = directory.path / "loadgen" / ("other.txt" if harm == "add" else "user.conf")
    if harm == "remove":
        victim.unlink()
    else:
        victim.write_text("changed\n")
    assert directory.broken_seal() == (f"loadgen/{victim.name}",)


def test_a_directory_without_a_seal_is_told(directory: RunDir) -> None:
    assert directory.broken_seal() == ("SHA256SUMS",)


def test_an_executions_folder_is_emptied_before_use(directory: RunDir) -> None:
    execution = a_plan().result_execution
    stale = directory.fresh_folder(execution) / "mlperf_log_detail.txt"
    stale.write_text("old")
    directory.fresh_folder(execution)
    assert not stale.exists()
