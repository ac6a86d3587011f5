"""How the harness process ends: one line and a status, from any thread, whatever went wrong."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from orchestrator.host.process import run, spawn

SOURCE = Path(__file__).parents[2]
PATHS = {"PYTHONPATH": str(SOURCE), "PYTHONFAULTHANDLER": "0"}


def python(program: str) -> tuple[int, str]:
    done = run([sys.executable, "-c", program], environment=PATHS, timeout_s=30)
    return done.code, done.stderr


@pytest.mark.parametrize(
    ("raised", "code", "line"),
    [
        ("ValueError('two\\nlines')", 1, "error: ValueError: two lines\n"),
        ("MemoryError()", 1, "error: MemoryError\n"),
        ("KeyboardInterrupt()", 1, "error: KeyboardInterrupt\n"),
        ("SutError('as it is', exit_code=2)", 2, "error: as it is\n"),
    ],
)
@pytest.mark.parametrize("thread", [False, True])
def test_an_exception_in_a_callback_ends_the_process_with_one_line(
    raised: str, code: int, line: str, thread: bool
) -> None:
    call = "t = threading.Thread(target=guarded(fail)); t.start(); time.sleep(20)" if thread else "guarded(fail)()"
    program = f"""
import threading, time
from orchestrator.sut.faults import SutError, guarded
def fail():
    raise {raised}
{call}
"""
    assert python(program) == (code, line)


def test_of_many_threads_that_fail_together_one_is_heard() -> None:
    program = """
import threading, time
from orchestrator.sut.faults import guarded
gate = threading.Barrier(8)
def fail():
    gate.wait()
    raise ValueError("no")
for _ in range(8):
    threading.Thread(target=guarded(fail), daemon=True).start()
time.sleep(20)
"""
    assert python(program) == (1, "error: ValueError: no\n")


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nowhere/harness.json"]])
def test_bad_arguments_are_one_line_and_status_2(arguments: list[str]) -> None:
    done = run([sys.executable, "-m", "orchestrator.sut", *arguments], environment=PATHS, timeout_s=30)
    assert done.code == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_a_signal_ends_the_process_while_its_main_thread_is_busy_elsewhere() -> None:
    program = """
import time
from orchestrator.sut.watch import end_on_signals
end_on_signals()
print("ready", flush=True)
time.sleep(30)
"""
    child = spawn([sys.executable, "-c", program], environment=PATHS)
    assert child.stdout is not None
    with child.stdout:
        assert child.stdout.readline() == b"ready\n"
        asked = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 128 + signal.SIGTERM
        assert time.monotonic() - asked < 5
        assert child.stdout.read() == b"error: ended by SIGTERM\n"


def test_progress_is_told_at_least_once_and_at_the_end() -> None:
    program = """
from orchestrator.sut.watch import progress
with progress(lambda: (3, 4)):
    pass
"""
    done = run([sys.executable, "-c", program], environment=PATHS, timeout_s=30)
    assert (done.code, done.stdout) == (0, "progress completed=3 issued=4\n")


def test_progress_that_nobody_reads_does_not_disturb_the_test() -> None:
    program = """
import os, sys
from orchestrator.sut.watch import progress
reader, writer = os.pipe()
os.close(reader)
os.dup2(writer, 1)
with progress(lambda: (3, 4)):
    pass
sys.stderr.write("went on")
os._exit(0)
"""
    assert python(program) == (0, "went on")
