"""Plans without runs: shown by --dry-run without a side effect, carried out by `execute` exactly as frozen."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.config.decode import decode_json
from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.plan import RunPlan
from tests.e2e.command import call, record, sealed
from tests.e2e.conftest import SMALL, FinishedSet

NOWHERE = "unix:///nonexistent.sock"
SHORT = (*SMALL, "--mode", "performance", "--test-query-count", "20")


def planned(cwd: Path) -> Any:
    """The one plan of a short run, as --dry-run shows it."""
    return call(cwd, *SHORT, "--dry-run", "--json").document["plans"][0]


@pytest.fixture
def plan_dir(tmp_path: Path) -> Path:
    """A directory with nothing but a frozen plan."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "plan.json").write_text(json.dumps(planned(tmp_path)))
    return folder


def test_a_dry_run_needs_no_engine_and_writes_nothing(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    called = call(tmp_path, *SHORT, "--dry-run", DOCKER_HOST=NOWHERE, MLPERF_DOCKER_CACHE=str(cache))
    assert called.code == 0, called.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_shows_downloads_disk_and_the_docker_run_line(tmp_path: Path) -> None:
    called = call(tmp_path, *SHORT, "--dry-run", MLPERF_DOCKER_CACHE=str(tmp_path / "cache"))
    assert "MiB to fetch" in called.stdout
    assert "free on" in called.stdout
    line = next(line for line in called.stdout.splitlines() if "docker run " in line)
    assert "--network none" in line
    assert "target=/dataset,readonly" in line
    assert line.endswith("python -m orchestrator.sut harness.json")


def test_a_dry_run_under_json_holds_the_whole_plans(tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--scenario", "all", "--dry-run", "--json", DOCKER_HOST=NOWHERE)
    document = called.document
    assert document["dry_run"] is True
    assert len(document["plans"]) == len(document["commands"]) == 8
    assert all(command[0].startswith("docker run ") for command in document["commands"])
    for plan in document["plans"]:
        value = decode_json(RunPlan, json.dumps(plan), "plan")
        assert value.sealed().fingerprint == value.fingerprint


def test_the_same_request_gives_the_same_fingerprint(tmp_path: Path) -> None:
    assert planned(tmp_path)["fingerprint"] == planned(tmp_path)["fingerprint"]


@pytest.mark.engine
def test_a_frozen_plan_is_carried_out_in_its_directory(docker_url: str, plan_dir: Path) -> None:
    called = call(plan_dir.parent, "execute", str(plan_dir), "--json")
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    assert Path(run["run_dir"]) == plan_dir
    assert record(plan_dir)["plan_fingerprint"] == json.loads((plan_dir / "plan.json").read_text())["fingerprint"]
    assert sealed(plan_dir)
    again = call(plan_dir.parent, "execute", str(plan_dir))
    assert again.code == 2
    assert "has been carried out already" in again.stderr
    assert sealed(plan_dir)


def test_a_plan_that_was_changed_is_refused(plan_dir: Path) -> None:
    plan = json.loads((plan_dir / "plan.json").read_text())
    plan["executions"][0]["container"]["network"] = "host"
    (plan_dir / "plan.json").write_text(json.dumps(plan))
    called = call(plan_dir.parent, "execute", str(plan_dir))
    assert called.code == 2
    assert "was changed after it was frozen" in called.stderr
    assert [path.name for path in plan_dir.iterdir()] == ["plan.json"]


def test_a_plan_of_another_version_is_refused(plan_dir: Path) -> None:
    path = plan_dir / "plan.json"
    other = replace(decode_json(RunPlan, path.read_text(), "plan"), tool_version="0.0.9").sealed()
    path.write_text(pretty_json(other))
    called = call(plan_dir.parent, "execute", str(plan_dir))
    assert called.code == 2
    assert "planned by version 0.0.9" in called.stderr


@pytest.mark.parametrize("text", ["{", "[]", '{"schema_version": 1}', '{"schema_version": 99}', "\x00"])
def test_what_is_no_plan_is_refused_with_its_place(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    called = call(tmp_path, "execute", ".")
    assert called.code == 2
    assert "plan.json" in called.stderr


def test_a_folder_without_a_plan_is_refused(tmp_path: Path) -> None:
    assert call(tmp_path, "execute", str(tmp_path)).code == 2


@pytest.mark.engine
def test_a_finished_run_is_shown_again_as_it_was(finished: FinishedSet) -> None:
    shown = call(finished.cwd, "results", "show", *map(str, finished.run_dirs), "--json")
    assert shown.code == 0
    assert shown.document["runs"] == finished.runs


@pytest.mark.engine
def test_a_finished_set_is_listed(finished: FinishedSet) -> None:
    listed = call(finished.cwd, "results", "list", "--json").document["runs"]
    assert {run["run_id"] for run in listed} == {run["run_id"] for run in finished.runs}
    assert {run["state"] for run in listed} == {"done"}


@pytest.mark.engine
@pytest.mark.parametrize("name", ["run.json", "loadgen/mlperf_log_detail.txt", "loadgen/extra.txt"])
def test_a_broken_seal_is_told_with_the_file(finished: FinishedSet, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(finished.run_dirs[0], copy)
    assert call(tmp_path, "results", "show", str(copy)).code == 0
    with (copy / name).open("a") as file:
        file.write("\n")
    shown = call(tmp_path, "results", "show", str(copy), "--json")
    assert shown.code == 1
    assert f"the seal is broken: {name}" in shown.document["error"]["cause"]
