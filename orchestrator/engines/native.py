"""The native engine: the same command in a private virtual environment, as an ordinary process group.

Used only when asked for. It isolates nothing and says so: what a container needs and it lacks is refused or marked.
"""

from __future__ import annotations

import logging
import os
import platform
import resource
import shlex
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from orchestrator.domain.container import Capability, ContainerSpec, EngineInfo
from orchestrator.domain.ports import Output
from orchestrator.domain.terms import EngineName
from orchestrator.engines import terminal
from orchestrator.engines.admission import require, require_sources, require_terminal
from orchestrator.engines.native_container import NativeContainer
from orchestrator.engines.native_processes import (
    CONTAINER_VARIABLE,
    OWNER_VARIABLE,
    RUN_VARIABLE,
    kill_marked,
)
from orchestrator.errors import EngineError
from orchestrator.host import process
from orchestrator.host.owner import owner_label, owner_lives

_LOG = logging.getLogger(__name__)
_SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"
_SCRATCH = "mlperf-docker-native-"
_YAMA = Path("/proc/sys/kernel/yama/ptrace_scope")
_HARD_LIMITS = {"nofile": resource.RLIMIT_NOFILE, "memlock": resource.RLIMIT_MEMLOCK, "nproc": resource.RLIMIT_NPROC}


class NativeEngine:
    """Runs `spec.command` with the environment in the folder `spec.image`; mounts must be where they are."""

    @property
    def name(self) -> EngineName:
        """native."""
        return EngineName.NATIVE

    def info(self) -> EngineInfo:
        """This machine; the only capabilities are those that hold without a container."""
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        may_trace = not _YAMA.exists() or _YAMA.read_text().strip() in {"0", "1"}
        return EngineInfo(
            name=self.name.value,
            version=platform.release(),
            endpoint="this machine",
            platform=f"linux/{machine}",
            capabilities=frozenset(
                {Capability.INTERACTIVE, Capability.JOIN, *([Capability.PTRACE] if may_trace else [])},
            ),
            notes=("no isolation: network, files, memory and processors are those of this machine",),
            hard_limits=tuple((name, _bound(number)) for name, number in _HARD_LIMITS.items()),
        )

    @contextmanager
    def start(self, spec: ContainerSpec, *, run_id: str, output: Output) -> Iterator[NativeContainer]:
        """Start a process group; however the body ends, nothing that it started is left afterwards."""
        self._admit(spec)
        container_id = uuid.uuid4().hex
        with _scratch() as scratch:
            container = NativeContainer(container_id, image_id=f"env:{Path(spec.image).resolve().name}")
            try:
                container.begin(
                    spec.command,
                    environment={**_environment(spec, scratch), **_marks(run_id, container_id)},
                    cwd=Path(spec.workdir),
                    output=output,
                )
                yield container
            finally:
                container.release()

    def shell(self, spec: ContainerSpec, *, run_id: str) -> int:
        """Run the command on the caller's own terminal; returns its exit status (128+n for signal n)."""
        asked = replace(spec, interactive=True)
        require_terminal(terminal.is_there())
        self._admit(asked)
        with _scratch() as scratch:
            variables = _environment(asked, scratch)
            here = {"TERM": os.environ["TERM"]} if "TERM" in os.environ else {}
            container_id = uuid.uuid4().hex
            try:
                with terminal.given_back():
                    code = process.attached(
                        spec.command,
                        environment={**here, **variables, **_marks(run_id, container_id)},
                        cwd=Path(spec.workdir),
                    )
            except OSError as error:
                raise EngineError(f"cannot start '{spec.command[0]}': {error.strerror}") from error
            finally:
                kill_marked(lambda found: found.container == container_id)
        return code if code >= 0 else 128 - code

    def equivalent(self, spec: ContainerSpec) -> str:
        """The `env -i … COMMAND` line a person would type in the working directory; for showing only."""
        variables = (f"{name}={value}" for name, value in _environment(spec, None).items())
        return f"cd {shlex.quote(str(spec.workdir))} && {shlex.join(['env', '-i', *variables, *spec.command])}"

    def clean(self) -> tuple[str, ...]:
        """Kill processes and remove scratch folders whose owner is dead; returns `process 123 (python)` and such."""
        killed = kill_marked(lambda found: not owner_lives(found.owner))
        folders = [folder for folder in _scratch_folders() if not owner_lives(_owner_of(folder))]
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
        return (
            *(f"process {found.pid} ({found.name})" for found in killed),
            *(f"folder {folder}" for folder in folders if not folder.exists()),
        )

    def _admit(self, spec: ContainerSpec) -> None:
        require(spec, self.info().capabilities, self.name.value)
        if spec.user is not None and spec.user[0] != os.geteuid():
            raise EngineError(
                f"the native engine runs as user {os.geteuid()} and cannot become user {spec.user[0]}",
                hint="use --engine docker, or call as that user",
            )
        for mount in spec.mounts:
            if str(mount.source) != str(mount.target):
                raise EngineError(
                    f"the native engine cannot show {mount.source} at {mount.target}: it has no mounts",
                    hint="use --engine docker",
                )
        require_sources(spec.mounts)
        if not (Path(spec.image) / "bin" / "python").exists():
            raise EngineError(
                f"there is no private environment in {spec.image}",
                hint="it is made by the image phase; remove the folder's remains and run again",
            )
        if not Path(spec.workdir).is_dir():
            raise EngineError(f"the working directory {spec.workdir} does not exist on this machine")


def _environment(spec: ContainerSpec, scratch: Path | None) -> Mapping[str, str]:
    """Nothing of the caller's but what is said here; home and temporary files go to a folder that is removed."""
    environment = Path(spec.image)
    homes = {} if scratch is None else {"HOME": str(scratch), "TMPDIR": str(scratch)}
    return {
        "PATH": f"{environment / 'bin'}:{_SYSTEM_PATH}",
        "PYTHONPATH": str(environment / "code"),
        "VIRTUAL_ENV": str(environment),
        "USER": "mlperf",
        **homes,
        **dict(spec.environment),
    }


def _marks(run_id: str, container_id: str) -> Mapping[str, str]:
    return {OWNER_VARIABLE: owner_label(), RUN_VARIABLE: run_id, CONTAINER_VARIABLE: container_id}


@contextmanager
def _scratch() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}{owner_label().replace(':', '_')}_"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            _LOG.warning("the scratch folder %s is left; `mlperf-docker clean` tries again later", folder)


def _scratch_folders() -> list[Path]:
    found = Path(tempfile.gettempdir()).glob(f"{_SCRATCH}*/")
    return sorted(folder for folder in found if folder.lstat().st_uid == os.geteuid())


def _owner_of(folder: Path) -> str:
    return ":".join(folder.name.removeprefix(_SCRATCH).split("_")[:3])


def _bound(number: int) -> str:
    hard = resource.getrlimit(number)[1]
    return "unlimited" if hard == resource.RLIM_INFINITY else str(hard)
