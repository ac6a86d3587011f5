"""Carry out one step of a run: its folder, its container, its service's health, what it must have left behind."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from orchestrator.controller.recorder import RunLog
from orchestrator.controller.rundir import RunDir
from orchestrator.controller.watch import Watcher
from orchestrator.domain.container import ContainerSpec, Exit, Mount, Outcome, outcome
from orchestrator.domain.plan import Execution, HealthCheck, Role
from orchestrator.domain.ports import Container, Engine
from orchestrator.domain.terms import EngineName
from orchestrator.errors import HarnessError, MlperfDockerError
from orchestrator.host.files import write_atomic

_LOG = logging.getLogger(__name__)
_TAIL_LINES = 5
_PROBE_TIMEOUT_S = 30.0
_ENDED = 125


def placed(
    execution: Execution,
    directory: RunDir,
    engine: EngineName,
    image: str,
    services: dict[str, str] | None = None,
) -> ContainerSpec:
    """The container of an execution with what only the run knows: image handle, run folders, running services."""
    native = engine is EngineName.NATIVE
    folder = directory.folder(execution)
    inside = PurePosixPath(folder) if native else execution.output_at
    shown = tuple(
        Mount(
            source=directory.path / mount.folder,
            target=PurePosixPath(directory.path / mount.folder) if native else mount.target,
            read_only=mount.read_only,
        )
        for mount in execution.run_mounts
    )
    output = Mount(source=folder, target=inside, read_only=False)
    container = execution.container
    workdir = inside if container.workdir == PurePosixPath("/") else container.workdir
    joins = (services or {}).get(container.joins, container.joins) if container.joins is not None else None
    return replace(container, image=image, mounts=(*container.mounts, *shown, output), workdir=workdir, joins=joins)


@dataclass(slots=True, kw_only=True)
class Services:
    """The services of a run that are up: closed in reverse when the run ends, whatever ended it."""

    stack: ExitStack
    ids: dict[str, str] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)
    tails: dict[str, HarnessOutput] = field(default_factory=dict)

    def check(self) -> None:
        """HarnessError that names a service which has died."""
        for name, container in self.containers.items():
            if not container.running():
                ended = container.wait(1.0)
                raise HarnessError(
                    f"the service '{name}' died while the run went on (exit status {ended.code}): "
                    f"{self.tails[name].last}",
                    hint="all its output is in run.log",
                )


@contextmanager
def services() -> Iterator[Services]:
    """A place for a run's services; they are stopped on leaving."""
    with ExitStack() as stack:
        yield Services(stack=stack)


@contextmanager
def nothing_left_over(execution: Execution) -> Iterator[None]:
    """Files that would turn this run into another kind are away before the step, and after it."""
    _remove(execution.remove_first)
    try:
        yield
    finally:
        _remove(execution.remove_first)


def _remove(paths: tuple[Path, ...]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def done_before(execution: Execution) -> bool:
    """Whether the step's stamp says that it need not be done again."""
    return execution.once is not None and execution.once.is_file()


def stamp(execution: Execution, text: str) -> None:
    """Say for later runs that the step is done."""
    if execution.once is not None:
        execution.once.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(execution.once, text)


def make_folders(spec: ContainerSpec) -> None:
    """Folders that a mount asks for, made as the caller; an engine would make them as root.

    Where root calls and the container's user is another (a harness that refuses uid 0), root's own are given to it.
    """
    for mount in spec.mounts:
        if mount.create:
            mount.source.mkdir(parents=True, exist_ok=True)
        another = spec.user is not None and spec.user[0] != 0 == os.geteuid()
        if spec.user is not None and another and not mount.read_only and mount.source.stat().st_uid == 0:
            os.chown(mount.source, *spec.user)


def _take_back(execution: Execution, spec: ContainerSpec) -> None:
    """What another user than root left in the step's folder belongs to root again, who called."""
    if spec.user is None or spec.user[0] == 0 or os.geteuid() != 0:
        return
    for mount in spec.mounts:
        if mount.target == execution.output_at:
            for path in (mount.source, *mount.source.rglob("*")):
                os.chown(path, 0, os.getegid(), follow_symlinks=False)


class HarnessOutput:
    """What a step prints: into run.log as it comes, its progress lines to the watcher, its last lines kept."""

    def __init__(self, log: RunLog, watcher: Watcher) -> None:
        self._log = log
        self._watcher = watcher
        self._rest = b""
        self._tail: list[str] = []

    def take(self, piece: bytes) -> None:
        """Bytes as they come, in any pieces."""
        self._log.write(piece)
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for raw in lines:
            self._line(raw.decode("utf-8", "replace").rstrip())

    @property
    def tail(self) -> tuple[str, ...]:
        """The last few lines that were not progress."""
        rest = self._rest.decode("utf-8", "replace").strip()
        return (*self._tail, rest) if rest else tuple(self._tail)

    @property
    def last(self) -> str:
        """Its own error line, else its last."""
        said = next((line for line in reversed(self.tail) if line.startswith("error:")), None)
        return said or (self.tail[-1] if self.tail else "it said nothing")

    def _line(self, line: str) -> None:
        if line.startswith("progress "):
            fields = dict(part.split("=", 1) for part in line.split()[1:] if "=" in part)
            if fields.get("completed", "").isdigit():
                issued = fields.get("issued", "")
                self._watcher.progress(int(fields["completed"]), int(issued) if issued.isdigit() else None)
        elif line:
            self._tail = [*self._tail[-_TAIL_LINES + 1 :], line]


def carry_out(
    execution: Execution, spec: ContainerSpec, engine: Engine, harness: HarnessOutput, *, run_id: str
) -> tuple[Exit, float]:
    """Run a step to its end; returns how it ended and the seconds it took."""
    clock = time.monotonic()
    try:
        with engine.start(spec, run_id=run_id, output=harness.take) as container:
            ended = container.wait(execution.timeout_s)
    finally:
        _take_back(execution, spec)
    return ended, time.monotonic() - clock


def serve(
    execution: Execution, spec: ContainerSpec, engine: Engine, up: Services, harness: HarnessOutput, *, run_id: str
) -> float:
    """Start a service and wait until it is healthy; returns the seconds that took. It runs until `up` is closed."""
    clock = time.monotonic()
    container = up.stack.enter_context(engine.start(spec, run_id=run_id, output=harness.take))
    up.stack.callback(_ask_to_end, execution.name, container)
    up.ids[execution.name] = container.id
    up.containers[execution.name] = container
    up.tails[execution.name] = harness
    if execution.health is not None:
        _await(execution.name, container, execution.health, lambda: harness.last)
    return time.monotonic() - clock


def _ask_to_end(name: str, container: Container) -> None:
    """A service is asked before it is killed, so that it can say its last."""
    try:
        container.stop()
    except MlperfDockerError as error:
        _LOG.warning("service %s did not end when asked: %s", name, error)


def _await(name: str, container: Container, health: HealthCheck, last: Callable[[], str]) -> None:
    deadline = time.monotonic() + health.timeout_s
    while True:
        code = container.probe(health.command, min(_PROBE_TIMEOUT_S, health.timeout_s))
        if code == 0:
            return
        if code == _ENDED or not container.running():
            raise HarnessError(f"the service '{name}' ended before it served: {last()}", hint="see run.log")
        if time.monotonic() > deadline:
            raise HarnessError(
                f"the service '{name}' was not ready within {health.timeout_s:g} s: {last()}",
                hint="see run.log; a bigger model may need longer (--timeout)",
            )
        time.sleep(health.interval_s)


def collect_logs(execution: Execution, folder: Path) -> None:
    """Move the files of the newest folder that a vendor's harness wrote its logs to up into `folder`."""
    if not execution.logs_from:
        return
    found = [path for pattern in execution.logs_from for path in folder.glob(pattern) if path.is_dir()]
    if not found:
        raise HarnessError(
            f"no logs were left at {' or '.join(execution.logs_from)} under {folder}",
            hint="the harness put them elsewhere, or never ran; see run.log",
        )
    newest = max(found, key=lambda path: path.stat().st_mtime_ns)
    for path in sorted(newest.iterdir()):
        if path.is_file():
            shutil.copy2(path, folder / path.name)


def accept(ended: Exit, execution: Execution, directory: RunDir, harness: HarnessOutput) -> None:
    """Believe the result, not the exit status: a step that wrote nothing has failed."""
    how, what = outcome(ended), _called(execution)
    if how is Outcome.OUT_OF_MEMORY:
        raise HarnessError(f"{what} was killed for memory", hint="give it more (--memory), or a smaller --batch-size")
    if how is Outcome.TIMED_OUT:
        raise HarnessError(f"{what} {how.value} of {execution.timeout_s:g} s", hint="raise --timeout")
    if how is not Outcome.DONE:
        prefix = "" if execution.role in {Role.RESULT, Role.ESTIMATE} else f"{what}: "
        raise HarnessError(
            f"{prefix}{how.value} (exit status {ended.code}): {harness.last}",
            hint=f"all its output: {directory.log}",
        )
    missing = [str(name) for name in execution.produces if not (directory.folder(execution) / name).is_file()]
    if missing:
        raise HarnessError(
            f"{what} reported success but did not write {', '.join(missing)}",
            hint=f"all its output: {directory.log}",
        )


def _called(execution: Execution) -> str:
    loadgen = execution.role in {Role.RESULT, Role.ESTIMATE}
    return "the harness" if loadgen else f"step '{execution.name}'"
