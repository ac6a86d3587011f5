"""Other ways to run: without a container, under another program, a shell instead of a measurement."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import LONG_S, PROGRAM, blockers, call, environment, record, sealed
from tests.e2e.conftest import SMALL

pytestmark = pytest.mark.engine
SHORT = (*SMALL, "--mode", "performance", "--test-query-count", "20", "--json")


def test_a_program_before_the_harness_runs_and_is_on_the_record(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *SHORT, "--run-prefix", "strace -f -e trace=execve -o /out/strace.txt")
    assert called.code == 0, called.stderr
    (run,) = called.document["runs"]
    assert "execve(" in (Path(run["run_dir"]) / "loadgen" / "strace.txt").read_text()
    assert any("ran under 'strace" in text for text in blockers(run))


def test_a_prefix_that_is_not_in_the_image_is_named(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *SHORT, "--run-prefix", "no-such-program")
    assert called.code == 8
    assert "no-such-program" in called.document["runs"][0]["failure"]["cause"]


def test_a_run_with_too_little_memory_is_told_apart_from_a_failure(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *SHORT, "--memory", "12m")
    assert called.code == 8
    (run,) = called.document["runs"]
    assert "killed for memory" in run["failure"]["cause"]
    assert "--memory" in run["failure"]["hint"]
    assert record(Path(run["run_dir"]))["executions"][0]["exit"]["oom_killed"] is True


def test_debug_opens_a_shell_in_the_prepared_container(docker_url: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *SMALL, "--debug"],
        cwd=tmp_path,
        env={**os.environ, **environment(), "TERM": "dumb"},
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        os.close(theirs)
        assert os.read(ours, 65536)  # the prompt; what is typed before it comes is dropped
        os.write(ours, b"ls /model /out; exit 7\n")
        said = _until_closed(ours)
        code = child.wait(LONG_S)
        assert child.stderr is not None
        stderr = child.stderr.read().decode()
    os.close(ours)
    assert code == 7, stderr
    assert "model.tflite" in said
    assert "harness.json" in said
    assert "a shell in the prepared container" in stderr
    assert not (tmp_path / "mlperf-results" / "runs").exists()


def test_debug_without_a_terminal_is_refused(docker_url: str, tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--debug")
    assert called.code == 2
    assert "terminal" in called.stderr


@pytest.mark.slow
def test_the_native_engine_measures_the_same_model_and_says_what_it_does_not_enforce(tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--engine", "native", "--json")
    assert called.code == 0, called.stderr
    performance, accuracy = called.document["runs"]
    assert performance["result"]["value"] > 0
    assert abs(accuracy["accuracy"]["good"] - 17) <= 1
    assert performance["engine"] == "native"
    assert "native does not enforce network_none" in performance["marks"]
    assert set(performance["marks"]) <= set(blockers(performance))
    assert any("outside a container" in text for text in blockers(performance))
    assert sealed(Path(performance["run_dir"]))


def test_the_native_engine_refuses_a_limit_it_cannot_enforce(tmp_path: Path) -> None:
    called = call(tmp_path, *SMALL, "--engine", "native", "--memory", "1g", "--json")
    assert called.code == 6
    assert "memory_limit" in called.stderr


def _until_closed(terminal: int) -> str:
    said = b""
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # how Linux says that the other end is closed
            return said.decode("utf-8", "replace")
        if not piece:
            return said.decode("utf-8", "replace")
        said += piece
