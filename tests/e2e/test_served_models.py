"""A language model behind a server and a speech model, for real: tokens timed by LoadGen, the server watched over."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator.domain.container import RUN_LABEL
from orchestrator.host.docker_api import connect
from tests.e2e.command import LONG_S, Called, call, containers, logged, record, run_dirs, sealed, started, until

pytestmark = pytest.mark.engine

LLM = ("run", "--model", "smollm2-135m", "--execution-mode", "test", "--threads", "1")
SHORT = (*LLM, "--mode", "performance", "--test-query-count", "6", "--target-qps", "2")
FIRST = "result_first_token_99.00_percentile_latency_ns"
FURTHER = "result_time_per_output_token_99.00_percentile_ns"


@pytest.fixture(scope="module")
def served(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Called:
    """Server and Interactive, six queries each."""
    called = call(tmp_path_factory.mktemp("served"), *SHORT, "--scenario", "Server,Interactive", "--json")
    assert called.code == 0, called.stderr
    assert [run["scenario"] for run in called.document["runs"]] == ["Server", "Interactive"]
    return called


def directories(called: Called) -> list[Path]:
    return [Path(run["run_dir"]) for run in called.document["runs"]]


def test_first_and_further_tokens_are_timed_for_real(served: Called) -> None:
    for path in directories(served):
        assert 0 < logged(path, FURTHER) < logged(path, FIRST)
        assert logged(path, "result_first_token_min_latency_ns") < logged(path, "result_min_latency_ns")
        report = json.loads((path / "loadgen" / "report.json").read_text())
        assert report["responses"]["issued"] == report["responses"]["completed"] == 6
        assert report["responses"]["tokens"] >= 12


def test_the_headline_is_tokens_a_second_out_of_loadgen_s_log(served: Called) -> None:
    for run, path in zip(served.document["runs"], directories(served), strict=True):
        assert (run["result"]["key"], run["result"]["unit"]) == ("result_completed_tokens_per_second", "Tokens/s")
        assert run["result"]["value"] == pytest.approx(logged(path, run["result"]["key"]))


def test_interactive_is_loadgen_s_server_with_limits_of_its_own(served: Called) -> None:
    limits = []
    for path in directories(served):
        keys = ("requested_server_ttft_latency", "requested_server_tpot_latency")
        limits.append(tuple(logged(path, key) for key in keys))
    assert limits == [(2e9, 2e8), (1e9, 1e8)]
    conf = (directories(served)[1] / "loadgen" / "user.conf").read_text()
    assert "smollm2-135m-interactive.Server.ttft_latency = 1000" in conf


def test_server_and_client_are_two_containers_of_which_none_is_left(served: Called) -> None:
    for path in directories(served):
        steps = [(step["name"], step["role"], step["outcome"]) for step in record(path)["executions"]]
        assert [role for _, role, _ in steps] == ["service", "result"]
        assert containers(path.name) == []
        assert sealed(path)


def test_the_server_ends_cleanly_when_the_run_is_over(served: Called) -> None:
    for path in directories(served):
        said = (path / "run.log").read_text()
        assert "serving smollm2-135m on 127.0.0.1:8000" in said
        assert "ended by SIGTERM: " in said


def test_a_test_run_of_a_token_model_is_never_called_valid(served: Called) -> None:
    assert {run["verdict"]["standing"] for run in served.document["runs"]} == {"not judged (test)"}


def the_server(run_id: str) -> Any:
    client = connect()
    with_label = {"label": f"{RUN_LABEL}={run_id}"}
    found = [item for item in client.containers.list(filters=with_label) if "orchestrator.serving" in str(item.attrs)]
    return found[0] if found else None


def test_a_server_that_dies_in_mid_run_is_the_harness_s_failure_and_named(docker_url: str, tmp_path: Path) -> None:
    many = (*LLM, "--mode", "performance", "--scenario", "Server", "--test-query-count", "400", "--target-qps", "2")
    with started(tmp_path, *many) as child:
        path: Path = until(lambda: next(iter(run_dirs(tmp_path)), None))
        until(lambda: "progress completed" in log_of(path))
        the_server(path.name).kill("SIGKILL")
        deadline = time.monotonic() + LONG_S
        _, stderr = child.communicate(timeout=deadline - time.monotonic())
    assert child.returncode == 8, stderr
    assert "Traceback" not in stderr
    assert "the service 'server' died while the run went on" in stderr
    assert record(path)["state"] == "failed"
    assert containers(path.name) == []


def log_of(path: Path) -> str:
    return (path / "run.log").read_text() if (path / "run.log").is_file() else ""


@pytest.mark.slow
def test_the_language_model_answers_as_well_as_measured(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *LLM, "--scenario", "Offline", "--mode", "accuracy", "--json")
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    assert (run["accuracy"]["metric"], run["accuracy"]["total"]) == ("answers", 64)
    assert abs(run["accuracy"]["good"] - 38) <= 4


@pytest.mark.slow
def test_speech_is_heard_as_well_as_measured(docker_url: str, tmp_path: Path) -> None:
    arguments = ("run", "--model", "whisper-tiny", "--execution-mode", "test", "--threads", "1", "--mode", "all")
    called = call(tmp_path, *arguments, "--test-query-count", "4", "--json")
    assert called.code == 0, called.stderr
    performance, accuracy = called.document["runs"]
    assert performance["result"]["value"] > 0
    assert accuracy["accuracy"]["metric"] == "word_accuracy"
    assert accuracy["accuracy"]["value"] == pytest.approx(0.982, abs=0.01)


@pytest.mark.slow
def test_pytorch_classifies_as_the_other_runtimes_do(docker_url: str, tmp_path: Path) -> None:
    arguments = ("run", "--model", "efficientnet-lite0", "--backend", "pytorch", "--execution-mode", "test")
    called = call(tmp_path, *arguments, "--threads", "1", "--mode", "accuracy", "--json", timeout_s=1200.0)
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    assert (run["accuracy"]["good"], run["accuracy"]["total"]) == (18, 20)
