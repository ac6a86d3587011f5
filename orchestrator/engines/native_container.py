"""One process group started natively: its output, its end, and nothing of it left. Decides nothing about what runs."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from orchestrator.domain.container import Exit
from orchestrator.domain.ports import Output
from orchestrator.engines.native_processes import kill_marked
from orchestrator.engines.streaming import Pump
from orchestrator.host import process
from orchestrator.host.interruption import to_the_end

_LOG = logging.getLogger(__name__)
_PIECE_BYTES = 65536
_STOP_GRACE_S = 5.0
_DRAIN_S = 10.0
_TOO_LATE, _GONE = 124, 125


class NativeContainer:
    """A group led by the command. When the leader ends, the rest of the group is killed, as in a container."""

    def __init__(self, container_id: str, *, image_id: str) -> None:
        self._id = container_id
        self._image_id = image_id
        self._child: subprocess.Popen[bytes] | None = None
        self._pump: Pump | None = None
        self._never_ran: tuple[int, str] | None = None
        self._ended = threading.Event()
        self._swept = False
        self._reaping = threading.Lock()
        self._environment: dict[str, str] = {}
        self._cwd = Path("/")
        self._started_s = self._finished_s = 0.0

    @property
    def id(self) -> str:
        """32 hex digits, also in the environment of every process in it."""
        return self._id

    def begin(self, command: Sequence[str], *, environment: Mapping[str, str], cwd: Path, output: Output) -> None:
        """Start the group; a command that is not there, or cannot be executed, ends at once with 127 or 126."""
        self._started_s = time.time()
        self._environment, self._cwd = dict(environment), cwd
        try:
            self._child = process.spawn(command, environment=environment, cwd=cwd, clean_environment=True)
        except OSError as error:
            code, what = (
                (127, "was not found") if isinstance(error, FileNotFoundError) else (126, "could not be executed")
            )
            self._never_ran = (code, f"the command '{command[0]}' {what}: {error.strerror}")
            self._finished_s = time.time()
            self._ended.set()
            return
        self._pump = Pump(_pieces(self._child), output, failed=self._kill)
        self._pump.start()
        threading.Thread(target=self._reap, args=(self._child,), name="native container", daemon=True).start()

    def wait(self, timeout_s: float | None = None) -> Exit:
        """Block until the leader ends, or stop the group after `timeout_s`; everything it wrote has been delivered."""
        timed_out = not self._ended.wait(timeout_s)
        if timed_out:
            self.stop(_STOP_GRACE_S)
        self._sweep()
        if self._pump is not None and not self._pump.finish(_DRAIN_S):
            _LOG.warning("native container %s ended, but its output did not; the rest is lost", self._id[:12])
        code, warnings = self._status()
        return Exit(
            code=code,
            timed_out=timed_out,
            started_s=self._started_s,
            finished_s=self._finished_s,
            image_id=self._image_id,
            warnings=warnings,
        )

    def probe(self, command: tuple[str, ...], timeout_s: float) -> int:
        """Run a command beside it, in its environment; 124 after `timeout_s`, 125 when it has ended."""
        if not self.running():
            return _GONE
        done = process.run(command, environment=self._environment, cwd=self._cwd, timeout_s=timeout_s)
        return _TOO_LATE if done.code == -signal.SIGKILL else done.code

    def running(self) -> bool:
        """Whether its leader still runs."""
        return self._child is not None and not self._ended.is_set()

    def stop(self, grace_s: float = 10.0) -> None:
        """SIGTERM to the group, SIGKILL after `grace_s`; harmless when it has ended."""
        self._signal(signal.SIGTERM)
        if not self._ended.wait(grace_s):
            self._kill()
            self._ended.wait()

    def release(self) -> None:
        """Kill what is left and let go of pipe and threads, uninterrupted."""
        to_the_end(self._release)

    def _release(self) -> None:
        if self._child is None:
            return
        self._kill()
        self._ended.wait()
        self._sweep()
        try:
            if self._pump is not None:
                self._pump.finish(_DRAIN_S)
        except Exception as error:
            _LOG.warning("output of native container %s: %s", self._id[:12], error)
        if self._child.stdout is not None:
            self._child.stdout.close()

    def _sweep(self) -> None:
        """Kill what left the group (a daemon of the harness): its marks are still in its environment."""
        if not self._swept:
            kill_marked(lambda found: found.container == self._id)
            self._swept = True

    def _status(self) -> tuple[int, tuple[str, ...]]:
        if self._never_ran is not None:
            return self._never_ran[0], (self._never_ran[1],)
        assert self._child is not None  # noqa: S101 - begin was called
        code = self._child.returncode
        return (code if code >= 0 else 128 - code), ()

    def _reap(self, child: subprocess.Popen[bytes]) -> None:
        """Wait without reaping, so that the group's number stays ours until the rest of the group is killed."""
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self._finished_s = time.time()
        with self._reaping:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            self._ended.set()

    def _kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        with self._reaping:
            if self._child is not None and self._child.returncode is None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self._child.pid, number)


def _pieces(child: subprocess.Popen[bytes]) -> Iterator[bytes]:
    assert child.stdout is not None  # noqa: S101 - spawn pipes it
    while piece := os.read(child.stdout.fileno(), _PIECE_BYTES):
        yield piece
