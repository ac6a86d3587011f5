"""Call the real command as a user would, in a folder of its own; read back what it left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestrator.domain.container import RUN_LABEL
from orchestrator.host import process
from orchestrator.host.docker_api import connect
from tests.called import Called

PROGRAM = (sys.executable, "-m", "orchestrator.cli")
LONG_S = 120.0  # nothing here takes this long, on any machine
_PREFIX = "MLPERF_DOCKER_"


def environment() -> dict[str, str]:
    """No settings of whoever runs the tests but the cache, which all tests share (an empty variable is unset)."""
    ours = {name: "" for name in os.environ if name.startswith(_PREFIX) and name != "MLPERF_DOCKER_CACHE"}
    return {**ours, "NO_COLOR": "1"}


def call(cwd: Path, *arguments: str, timeout_s: float = 600.0, **variables: str) -> Called:
    """Run `mlperf-docker ARGUMENTS` to its end; it must never show a traceback."""
    done = process.run([*PROGRAM, *arguments], cwd=cwd, environment={**environment(), **variables}, timeout_s=timeout_s)
    assert "Traceback" not in done.stdout + done.stderr
    return Called(done.code, done.stdout, done.stderr)


@contextmanager
def started(cwd: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs; killed if the test leaves it running."""
    with subprocess.Popen(
        [*PROGRAM, *arguments],
        cwd=cwd,
        env={**os.environ, **environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def stop(child: subprocess.Popen[str], number: signal.Signals) -> Called:
    """Send a signal and wait for the end."""
    child.send_signal(number)
    stdout, stderr = child.communicate(timeout=LONG_S)
    assert "Traceback" not in stdout + stderr
    return Called(child.returncode, stdout, stderr)


def until(ready: Callable[[], Any]) -> Any:
    """What `ready` gives as soon as it is true; fails when that takes too long."""
    deadline = time.monotonic() + LONG_S
    while time.monotonic() < deadline:
        if found := ready():
            return found
        time.sleep(0.05)
    raise AssertionError("waited too long")


def run_dirs(cwd: Path) -> list[Path]:
    """The run directories, oldest first."""
    return sorted((cwd / "mlperf-results" / "runs").glob("*"), key=lambda path: path.stat().st_ctime_ns)


def record(run_dir: Path) -> Any:
    """run.json."""
    return json.loads((run_dir / "run.json").read_text())


def logged(run_dir: Path, key: str) -> float:
    """A figure of LoadGen's detail log, read without any code of ours."""
    lines = (run_dir / "loadgen" / "mlperf_log_detail.txt").read_text().splitlines()
    entries = [json.loads(line.removeprefix(":::MLLOG ")) for line in lines]
    return float(next(entry["value"] for entry in entries if entry["key"] == key))


def containers(run_id: str) -> list[str]:
    """Names of all containers of a run, running or not."""
    with_label = {"label": f"{RUN_LABEL}={run_id}"}
    client = connect()
    try:
        return [str(item["Names"][0]) for item in client.api.containers(all=True, filters=with_label)]
    finally:
        client.close()


def measuring(cwd: Path, scenario: str) -> Path:
    """The directory of the run of a scenario, once its container runs."""

    def found() -> Path | None:
        here = [path for path in run_dirs(cwd) if f"-{scenario}-" in path.name]
        return here[0] if here and containers(here[0].name) else None

    result: Path = until(found)
    return result


def sealed(run_dir: Path) -> bool:
    """Whether `sha256sum -c` agrees with the seal, and the seal covers every file."""
    checked = process.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=run_dir)
    files = {path.relative_to(run_dir).as_posix() for path in run_dir.rglob("*") if path.is_file()}
    covered = {line.rpartition(": ")[0] for line in checked.stdout.splitlines()}
    return checked.ok and covered == files - {"SHA256SUMS"}


def blockers(run: Any) -> list[str]:
    """Why a run of a --json document could not be submitted."""
    return [blocker["text"] for blocker in run["verdict"]["blockers"]]
