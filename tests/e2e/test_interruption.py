"""A set of runs that is interrupted or killed: nothing is left running, the record says so, --resume continues."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.e2e.command import Called, call, containers, measuring, record, run_dirs, sealed, started, stop
from tests.e2e.conftest import SMALL

pytestmark = pytest.mark.engine

# LoadGen paces the Server scenario itself, so these last as long on any machine: 6 s, and 10 minutes.
SOME_SECONDS = (*SMALL, "--mode", "performance", "--target-qps", "50", "--test-query-count", "300")
MINUTES = (*SMALL, "--scenario", "Server", "--mode", "performance", "--target-qps", "1", "--test-query-count", "600")
TWO = (*SOME_SECONDS, "--scenario", "Offline,Server")


def continued(cwd: Path, first: Path, second: Path) -> None:
    """`--resume` keeps the run that was finished and measures only the other, in a new directory."""
    called = call(cwd, *TWO, "--resume", "--json")
    assert called.code == 0, called.stderr
    kept, fresh = called.document["runs"]
    assert (kept["kept"], Path(kept["run_dir"])) == (True, first)
    assert not fresh["kept"]
    assert Path(fresh["run_dir"]) not in {first, second}
    assert f"kept from the interrupted set {set_id(cwd)}: {first.name}" in called.stderr
    assert fresh["result"]["value"] > 0
    assert len(run_dirs(cwd)) == 3


def test_ctrl_c_leaves_no_container_and_resume_does_only_what_is_missing(docker_url: str, tmp_path: Path) -> None:
    with started(tmp_path, *TWO) as child:
        second = measuring(tmp_path, "Server")
        ended = stop(child, signal.SIGINT)
    assert ended.code == 130
    assert "hint: continue with the same command and --resume" in ended.stderr
    first = next(path for path in run_dirs(tmp_path) if path != second)
    assert containers(second.name) == []
    assert record(second)["state"] == "interrupted"
    assert record(second)["failure"]["exit_code"] == 130
    assert sealed(second)
    continued(tmp_path, first, second)
    again = call(tmp_path, *TWO, "--resume")
    assert again.code == 2  # the set is finished now


def test_a_termination_signal_ends_a_run_as_ctrl_c_does(docker_url: str, tmp_path: Path) -> None:
    with started(tmp_path, *MINUTES, "--json") as child:
        directory = measuring(tmp_path, "Server")
        ended = stop(child, signal.SIGTERM)
    assert ended.code == 130
    assert ended.stdout.count('"schema_version"') == 1
    assert json.loads(ended.stdout)["exit_code"] == 130
    assert containers(directory.name) == []
    assert record(directory)["state"] == "interrupted"
    assert sealed(directory)


def test_after_kill_9_clean_removes_the_container_and_resume_continues(docker_url: str, tmp_path: Path) -> None:
    with started(tmp_path, *TWO) as child:
        second = measuring(tmp_path, "Server")
        stop(child, signal.SIGKILL)
    first = next(path for path in run_dirs(tmp_path) if path != second)
    assert containers(second.name) != []
    assert states(call(tmp_path, "results", "list", "--json")) == {first.name: "done", second.name: "crashed"}
    shown = call(tmp_path, "results", "show", str(second))
    assert shown.code == 8
    assert "its controller died in phase measure" in shown.stderr
    cleaned = call(tmp_path, "clean", "--json")
    assert cleaned.code == 0
    assert any(second.name in thing for thing in cleaned.document["removed"])
    assert containers(second.name) == []
    continued(tmp_path, first, second)


def test_clean_spares_a_run_that_lives(docker_url: str, tmp_path: Path) -> None:
    with started(tmp_path, *MINUTES) as child:
        directory = measuring(tmp_path, "Server")
        cleaned = call(tmp_path, "clean", "--json")
        assert cleaned.code == 0
        assert not any(directory.name in thing for thing in cleaned.document["removed"])
        assert containers(directory.name) != []
        assert states(call(tmp_path, "results", "list", "--json")) == {directory.name: "running"}
        stop(child, signal.SIGINT)


def test_a_time_limit_ends_the_harness_and_is_named(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *MINUTES, "--timeout", "3", "--json")
    assert called.code == 8
    (run,) = called.document["runs"]
    assert "time limit" in run["failure"]["cause"]
    assert "--timeout" in run["failure"]["hint"]
    assert sealed(Path(run["run_dir"]))


def set_id(cwd: Path) -> str:
    """Id of the one set there is."""
    (found,) = (cwd / "mlperf-results" / "sets").glob("*.json")
    return found.stem


def states(listed: Called) -> dict[str, str]:
    """Run id and state, of `results list --json`."""
    return {run["run_id"]: run["state"] for run in listed.document["runs"]}
