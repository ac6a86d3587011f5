"""Programs on the host: real ones, by argument vector; nothing of them is left when we are asked to stop."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from orchestrator.host import process
from orchestrator.host.owner import start_time

PYTHON = sys.executable
SLEEPS = (
    "import subprocess, sys, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
)
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)"
)


def gone(pid: int) -> bool:
    """Whether a process has ended, now or within moments."""
    deadline = time.monotonic() + 30
    while start_time(pid) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return start_time(pid) is None


def test_output_and_status_are_captured() -> None:
    done = process.run([PYTHON, "-c", "import sys; print('out'); print('err', file=sys.stderr); sys.exit(3)"])
    assert (done.code, done.stdout, done.stderr, done.ok) == (3, "out\n", "err\n", False)


def test_a_program_that_is_not_there_is_127_as_in_a_shell() -> None:
    done = process.run(["no-such-program"])
    assert (done.code, done.stderr) == (127, "no-such-program: not found")


def test_no_shell_sees_the_arguments() -> None:
    assert process.run(["printf", "%s", "$HOME; `id` *"]).stdout == "$HOME; `id` *"


def test_a_time_out_kills_and_keeps_what_was_said() -> None:
    done = process.run(["sh", "-c", "echo begun; exec sleep 600"], timeout_s=0.5)
    assert (done.code, done.stdout) == (-9, "begun\n")
    assert "timed out" in done.stderr


def test_a_time_out_leaves_nothing_of_what_the_program_started() -> None:
    done = process.run([PYTHON, "-c", SLEEPS], timeout_s=2.0)
    assert done.code == -9
    assert gone(int(done.stdout))


def test_the_environment_is_ours_with_what_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    assert process.run(["sh", "-c", 'echo "$OURS $ADDED"'], environment={"ADDED": "2"}).stdout == "1 2\n"


def test_input_and_working_directory_are_given(tmp_path: Path) -> None:
    assert process.run(["cat"], stdin=b"text").stdout == "text"
    assert process.run(["pwd", "-P"], cwd=tmp_path).stdout.strip() == str(tmp_path.resolve())


def test_bytes_that_are_no_text_do_not_stop_us() -> None:
    assert process.run(["printf", "\\377"]).stdout == "�"


def test_output_is_handed_on_while_the_program_runs(tmp_path: Path) -> None:
    waits = "echo first; for i in $(seq 500); do test -e heard && exit 0; sleep 0.02; done; exit 1"

    def output(piece: bytes) -> None:
        assert piece == b"first\n"
        (tmp_path / "heard").touch()

    assert process.stream(["sh", "-c", waits], output, cwd=tmp_path) == 0


def test_streamed_output_is_whole_and_merged() -> None:
    pieces: list[bytes] = []
    code = process.stream(["sh", "-c", "echo out; echo err >&2; cat; exit 4"], pieces.append, stdin=b"in\n")
    assert code == 4
    assert b"".join(pieces) == b"out\nerr\nin\n"


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError])
def test_an_interruption_ends_the_whole_group(stop: type[BaseException]) -> None:
    pids: list[int] = []

    def output(piece: bytes) -> None:
        pids.append(int(piece))
        raise stop

    with pytest.raises(stop):
        process.stream([PYTHON, "-c", SLEEPS], output)
    assert len(pids) == 1
    assert gone(pids[0])


def test_a_group_that_ignores_the_request_is_killed() -> None:
    child = process.spawn([PYTHON, "-c", STUBBORN])
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    process.end_group(child, grace_s=0.2)
    child.stdout.close()
    assert child.returncode == -signal.SIGKILL


def test_a_group_that_has_ended_is_no_error() -> None:
    child = process.spawn(["true"])
    assert child.stdout is not None
    child.stdout.close()
    child.wait()
    process.end_group(child, grace_s=0.2)
    assert child.returncode == 0


def test_a_spawned_program_has_a_clean_environment_when_asked() -> None:
    child = process.spawn(["env"], environment={"ONLY": "this"}, clean_environment=True)
    assert child.stdout is not None
    said = child.stdout.read()
    child.stdout.close()
    assert child.wait() == 0
    assert said == b"ONLY=this\n"


def test_an_attached_program_gets_exactly_the_environment_given() -> None:
    code = process.attached(["/bin/sh", "-c", 'test -z "$HOME" && exit "$CODE"'], environment={"CODE": "5"})
    assert code == 5
    assert process.attached(["/bin/sh", "-c", "kill -9 $$"], environment={}) == -9
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
