"""Run programs on the host, by argument vector. The only place that starts a subprocess; never a shell."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """A program that has ended. `code` is negative for a signal, 127 when the program was not found."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.code == 0


def run(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    timeout_s: float | None = None,
) -> Completed:
    """Run to the end and capture; `environment` is added to ours.

    A time-out kills it with all that it started and gives code -9.
    """
    try:
        child = subprocess.Popen(
            list(argv),
            env={**os.environ, **(environment or {})},
            cwd=cwd,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError:
        return Completed(argv=tuple(argv), code=127, stdout="", stderr=f"{argv[0]}: not found")
    with child:
        try:
            stdout, stderr = child.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired:
            end_group(child, grace_s=0.0)
            stdout, stderr = child.communicate()
            return Completed(argv=tuple(argv), code=-9, stdout=_text(stdout), stderr=f"{_text(stderr)}\ntimed out")
        except BaseException:
            end_group(child, grace_s=2.0)
            raise
    return Completed(argv=tuple(argv), code=child.returncode, stdout=_text(stdout), stderr=_text(stderr))


def stream(
    argv: Sequence[str],
    output: Callable[[bytes], None],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: bytes | BinaryIO | None = None,
) -> int:
    """Run to the end, handing merged stdout and stderr to `output` as it comes; returns the exit status.

    `stdin` is a few bytes, or an open file (with a descriptor) of any size.

    Interrupted, it ends the program's whole process group before the interruption goes on.
    """
    source = subprocess.PIPE if isinstance(stdin, bytes) else stdin.fileno() if stdin is not None else None
    child = spawn(argv, environment=environment, cwd=cwd, stdin=source)
    try:
        if isinstance(stdin, bytes) and child.stdin is not None:
            child.stdin.write(stdin)
            child.stdin.close()
        assert child.stdout is not None  # noqa: S101 - spawn pipes it
        while piece := os.read(child.stdout.fileno(), 65536):
            output(piece)
        return child.wait()
    except BaseException:
        end_group(child, grace_s=2.0)
        raise
    finally:
        if child.stdout is not None:
            child.stdout.close()


def spawn(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = None,
    clean_environment: bool = False,
    preexec: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a process group of its own, stdout and stderr merged into one pipe."""
    inherited = {} if clean_environment else dict(os.environ)
    return subprocess.Popen(
        list(argv),
        env={**inherited, **(environment or {})},
        cwd=cwd,
        stdin=stdin if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=preexec,  # noqa: PLW1509 - set only by the native engine, before any thread of ours runs
        bufsize=0,
    )


def attached(argv: Sequence[str], *, environment: Mapping[str, str], cwd: Path | None = None) -> int:
    """Run on the caller's own terminal, with exactly this environment; returns the exit status (-n for signal n).

    Ctrl-C and Ctrl-\\ are the program's while it runs.
    """
    child = subprocess.Popen(list(argv), env=dict(environment), cwd=cwd)
    ours = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        return child.wait()
    finally:
        for number, action in ours.items():
            signal.signal(number, action)
        if child.poll() is None:
            child.kill()
            child.wait()


def end_group(child: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """Ask a spawned group to end, then kill it; nothing of it is left on return."""
    for number, patience in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 10.0)):
        try:
            os.killpg(child.pid, number)
        except ProcessLookupError:
            break
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired:
            continue
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _text(raw: bytes | None) -> str:
    return (raw or b"").decode("utf-8", "replace")
