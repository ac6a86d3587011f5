"""One started Docker container: its output, its end, how it ended. Neither makes nor removes it."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.container import Exit
from orchestrator.domain.ports import Output
from orchestrator.engines.streaming import Pump
from orchestrator.errors import EngineError
from orchestrator.host.docker_api import engine_errors

if TYPE_CHECKING:
    from docker import APIClient

_LOG = logging.getLogger(__name__)
_DRAIN_S = 10.0
_STOP_GRACE_S = 5.0
_SAMPLE_EVERY_S = 1.0
_PROBE_EVERY_S = 0.05
_TOO_LATE, _ENDED = 124, 125
_INIT_FAILED = (b"[FATAL tini", b"ERROR (catatonit")
_NEVER_RAN = {127: "was not found in the image", 126: "could not be executed"}


class Channel:
    """The attached streams of a container, opened before its start so that nothing is lost."""

    def __init__(self, api: APIClient, container_id: str, *, stdin: bool = False) -> None:
        streams = {"stream": 1, "stdout": 1, "stderr": 1}
        # A rare detach key: the default would swallow Ctrl-P of the shell inside.
        asked = {**streams, "stdin": 1, "detachKeys": "ctrl-@,ctrl-@"} if stdin else streams
        self._file = api.attach_socket(container_id, params=asked)
        self.socket.settimeout(None)  # a harness may be silent for longer than the client waits for an answer

    def frames(self) -> Iterator[bytes]:
        """Pieces of merged output until the container closes its streams."""
        from docker.utils.socket import frames_iter_no_tty

        for _, piece in frames_iter_no_tty(self._file):
            if isinstance(piece, bytes):
                yield piece

    @property
    def socket(self) -> socket.socket:
        """The raw connection, for a terminal."""
        inner: socket.socket = getattr(self._file, "_sock", self._file)
        return inner

    def cut(self) -> None:
        """End the stream under a reader that waits in another thread."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the connection."""
        getattr(self._file, "_response", self._file).close()  # the SDK hangs the owner of the socket on it


class PeakMemory:
    """The container's own high-water mark, read once a second from its cgroup on this machine.

    Memory first touched in its last second may be missing; None when it ended before the first reading.
    """

    def __init__(self, container_id: str) -> None:
        self._id = container_id
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="container memory", daemon=True)
        self.bytes: int | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the watch."""
        self._ended.set()

    def _watch(self) -> None:
        file: Path | None = None
        while not self._ended.wait(_SAMPLE_EVERY_S):
            file = file or next((path for path in _memory_files(self._id) if path.exists()), None)
            if file is None:
                return
            try:
                self.bytes = int(file.read_text())
            except (OSError, ValueError):
                return


def _memory_files(container_id: str) -> Iterator[Path]:
    root = Path("/sys/fs/cgroup")
    for hierarchy, name in ((root / "memory", "memory.max_usage_in_bytes"), (root, "memory.peak")):
        yield hierarchy / "docker" / container_id / name
        yield hierarchy / "system.slice" / f"docker-{container_id}.scope" / name


class DockerContainer:
    """A container that has been created; `begin` starts it. Made by DockerEngine, which removes it."""

    def __init__(self, api: APIClient, container_id: str, *, command: str, warnings: tuple[str, ...]) -> None:
        self._api = api
        self._id = container_id
        self._command = command
        self._warnings = warnings
        self._channel: Channel | None = None
        self._pump: Pump | None = None
        self._memory = PeakMemory(container_id)
        self._started = False

    @property
    def id(self) -> str:
        """The engine's id, 64 hex digits."""
        return self._id

    def begin(self, output: Output, *, watch_memory: bool) -> None:
        """Attach, then start: `output` gets everything from the first byte on."""
        with engine_errors("start the container"):
            self._channel = Channel(self._api, self._id)
            self._pump = Pump(self._channel.frames(), output, failed=self._kill)
            self._pump.start()
            self._api.start(self._id)
            self._started = True
        if watch_memory:
            self._memory.start()

    def wait(self, timeout_s: float | None = None) -> Exit:
        """Block until it ends, or stop it after `timeout_s`; everything it wrote has been delivered."""
        status = self._ended_within(timeout_s)
        timed_out = status is None
        if timed_out:
            self.stop(_STOP_GRACE_S)
            status = self._ended_within(None)
        self._memory.stop()
        if self._pump is not None and not self._pump.finish(_DRAIN_S):
            _LOG.warning("container %s ended, but its output did not; the rest is lost", self._id[:12])
        return self._exit(status or {}, timed_out=timed_out)

    def probe(self, command: tuple[str, ...], timeout_s: float) -> int:
        """Run a command inside while it runs; 124 after `timeout_s`, 125 when the container has ended."""
        from docker.errors import APIError

        try:
            with engine_errors("look into the container"):
                made = self._api.exec_create(self._id, list(command), stdout=False, stderr=False)
                self._api.exec_start(made["Id"], detach=True)
        except EngineError as error:
            if isinstance(error.__cause__, APIError):
                return _ENDED
            raise
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with engine_errors("look into the container"):
                code = self._api.exec_inspect(made["Id"])["ExitCode"]
            if code is not None:
                return int(code)
            time.sleep(_PROBE_EVERY_S)
        return _TOO_LATE

    def running(self) -> bool:
        """Whether the engine says that it still runs."""
        with engine_errors("inspect the container"):
            return bool(self._api.inspect_container(self._id)["State"]["Running"])

    def stop(self, grace_s: float = 10.0) -> None:
        """SIGTERM, then SIGKILL after `grace_s` (whole seconds); harmless when it has ended."""
        with engine_errors("stop the container"):
            self._api.stop(self._id, timeout=math.ceil(grace_s))

    def release(self) -> None:
        """Let go of threads and connection once the container is gone, handing out what had still come."""
        self._memory.stop()
        if self._channel is None or self._pump is None:
            return
        try:
            if not self._pump.finish(_DRAIN_S if self._started else 0.0):
                self._channel.cut()
                self._pump.finish(_DRAIN_S)
        except Exception as error:
            _LOG.warning("output of container %s: %s", self._id[:12], error)
        self._channel.close()

    def _kill(self) -> None:
        from docker.errors import DockerException

        try:
            self._api.kill(self._id)
        except DockerException as error:
            _LOG.warning("container %s could not be killed: %s", self._id[:12], error)

    def _ended_within(self, timeout_s: float | None) -> dict[str, object] | None:
        import requests

        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with engine_errors("wait for the container"):
            try:
                return dict(self._api.wait(self._id, timeout=timeout_s))  # type: ignore[arg-type]  # fractions are fine
            except (requests.exceptions.Timeout, requests.exceptions.ConnectionError):
                if deadline is None or time.monotonic() < deadline:
                    raise  # the engine went away; only a time-out comes late
                return None

    def _exit(self, status: dict[str, object], *, timed_out: bool) -> Exit:
        with engine_errors("inspect the container"):
            found = self._api.inspect_container(self._id)
        state = found["State"]
        code = int(str(status.get("StatusCode", state["ExitCode"])))
        return Exit(
            code=code,
            oom_killed=bool(state.get("OOMKilled")),
            timed_out=timed_out,
            started_s=_seconds(state["StartedAt"]),
            finished_s=_seconds(state["FinishedAt"]),
            peak_memory_bytes=self._memory.bytes,
            image_id=found["Image"],
            warnings=(*self._warnings, *self._complaints(code, status.get("Error"))),
        )

    def _complaints(self, code: int, error: object) -> Iterator[str]:
        """What the engine, or the init inside, said about an end that was not the command's own."""
        if self._pump is not None and code in _NEVER_RAN and self._pump.head.startswith(_INIT_FAILED):
            yield f"the command '{self._command}' {_NEVER_RAN[code]}"
        if isinstance(error, dict) and error.get("Message"):
            yield str(error["Message"])


def _seconds(moment: str) -> float:
    """An engine's time (RFC 3339) as UNIX seconds; a time that cannot be read is a fault of the engine."""
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError as error:
        raise EngineError(f"the engine gave a time that cannot be read: '{moment}'") from error
