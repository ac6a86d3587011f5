"""What the conformance suite needs of each engine: something to run in, and a look at what an engine left."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from orchestrator.domain.container import Capability, ContainerSpec, Exit, Mount
from orchestrator.domain.ports import Engine

TOKEN = "MLPERF_TEST_TOKEN"  # noqa: S105 - a name, no secret
LONG_S = 120.0


def new_token() -> str:
    """A run id that also marks every process of the run, through the environment."""
    return f"engines-test-{uuid.uuid4().hex[:12]}"


@dataclass
class Ended:
    """A container's end and its output in the pieces in which it came."""

    exit: Exit
    pieces: list[bytes] = field(default_factory=list)

    @property
    def text(self) -> str:
        return b"".join(self.pieces).decode()


@dataclass(frozen=True)
class Carrier:
    """An engine under test. `objects` and `labels` look at the engine from outside, by run id."""

    engine: Engine
    image: str
    controller: tuple[str, ...]
    objects: Callable[[str], list[str]]
    labels: Callable[[str], dict[str, str]]

    @property
    def capabilities(self) -> frozenset[Capability]:
        return self.engine.info().capabilities

    def mount(self, source: Path, target: str, *, read_only: bool = False) -> Mount:
        """Engines without images have no file system of their own to mount into: same path on both sides."""
        inside = PurePosixPath(target) if Capability.IMAGES in self.capabilities else PurePosixPath(source)
        return Mount(source=source, target=inside, read_only=read_only)

    def spec(self, *command: str, token: str, **wishes: object) -> ContainerSpec:
        """Run a command (or, if it is one word with a space or a line break, a Python program)."""
        words = ("python3", "-u", "-c", command[0]) if len(command) == 1 else command
        environment = {TOKEN: token, **dict(wishes.pop("environment", ()))}
        return ContainerSpec(image=self.image, command=words, environment=tuple(environment.items()), **wishes)

    def run(self, *command: str, timeout_s: float = LONG_S, token: str | None = None, **wishes: object) -> Ended:
        """Start, wait, and see to it that nothing is left."""
        name = token or new_token()
        pieces: list[bytes] = []
        with self.engine.start(self.spec(*command, token=name, **wishes), run_id=name, output=pieces.append) as running:
            ended = running.wait(timeout_s)
        assert self.traces(name) == []
        return Ended(ended, pieces)

    def traces(self, token: str) -> list[str]:
        """Everything of a run that exists now: the engine's objects, and living processes."""
        return [*self.objects(token), *processes(token)]


def processes(token: str) -> list[str]:
    """Living processes that carry the token in their environment, as far as we may look."""
    mark = f"{TOKEN}={token}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(f"process {folder.name}")
        except OSError:
            continue
    return found
