"""The protocols in which adapters meet the controller; only controller/connect.py wires them together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.domain.asset import Asset, PlannedAsset, PreparationJob, ReadyAsset
from orchestrator.domain.container import ContainerSpec, EngineInfo, Exit
from orchestrator.domain.image import NO_CHOICE, ImageChoice, PlannedImage, ReadyImage, Recipe
from orchestrator.domain.plan import Execution
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import EngineName

Output = Callable[[bytes], None]
Say = Callable[[str], None]
Meter = Callable[[str, int, int | None], None]
"""Progress of a transfer: what, bytes done, of how many (None: unknown)."""


def no_meter(_what: str, _done: int, _total: int | None) -> None:
    """A meter that nobody reads."""


class Container(Protocol):
    """A started container."""

    @property
    def id(self) -> str:
        """The engine's own id of it."""
        ...

    def wait(self, timeout_s: float | None = None) -> Exit:
        """Block until it ends, or stop it after `timeout_s` (then `Exit.timed_out`). Output has been delivered."""
        ...

    def probe(self, command: tuple[str, ...], timeout_s: float) -> int:
        """Run a command inside the running container; its exit status (124 after `timeout_s`, 125 when it ended)."""
        ...

    def running(self) -> bool:
        """Whether it still runs."""
        ...

    def stop(self, grace_s: float = 10.0) -> None:
        """Ask it to end (SIGTERM), then kill it. Harmless when it has ended."""
        ...


class Driver(Protocol):
    """Knows one implementation's harness: turns a decision into steps. Pure; starts nothing, reads nothing."""

    def __call__(self, spec: RunSpec, on: Situation) -> tuple[Execution, ...]:
        """The executions of one run, in order; exactly one is the result. UsageError for what it cannot do."""
        ...


class Engine(Protocol):
    """Carries containers. After `with engine.start(...)` nothing of ours is left, whatever happened."""

    @property
    def name(self) -> EngineName:
        """Which engine this is."""
        ...

    def info(self) -> EngineInfo:
        """Version, platform, capabilities as found; EngineError with a remedy when it does not answer."""
        ...

    def start(self, spec: ContainerSpec, *, run_id: str, output: Output) -> AbstractContextManager[Container]:
        """Start a container; `output` gets its merged stdout and stderr in pieces, while it runs, from one thread.

        Raises EngineError (a refused capability, a missing mount, an unknown image: named, with a remedy).
        """
        ...

    def shell(self, spec: ContainerSpec, *, run_id: str) -> int:
        """Run an interactive command on the caller's terminal; returns its exit status."""
        ...

    def equivalent(self, spec: ContainerSpec) -> str:
        """The command line a person would type for the same container; for showing only."""
        ...

    def clean(self) -> tuple[str, ...]:
        """Remove what dead owners left, found by label; living owners are spared. Returns what was removed."""
        ...


class Images(Protocol):
    """Makes sure that an image is there: present, pulled, or built."""

    def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
        """The recipe hash (64 hex digits) of an entry, with the sources and SDKs of the choice.

        Pure but for reading shipped files and local clones. ImageError when unknown or a source is missing.
        """
        ...

    def recipe(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Recipe:
        """The same with what is missing, the revisions of its sources, and why it could not be submitted."""
        ...

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        """The image if the engine already holds exactly this one; no side effect."""
        ...

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        """Have the image: `log` gets the full build or pull log, `say` one line for a person now and then."""
        ...


class Assets(Protocol):
    """Fetches, verifies, prepares and caches models and data sets."""

    def plan(self, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[PlannedAsset, ...]:
        """The asset and all it is made from, in order of making (the asked one last); no side effect."""
        ...

    def needed(self, planned: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
        """Those that have to be there now: without what only served to make an asset that is there."""
        ...

    def ensure(
        self, planned: PlannedAsset, *, say: Say, meter: Meter = no_meter, used_by: str | None = None
    ) -> ReadyAsset:
        """Have it, verified, for the run `used_by`; AssetError names expected and found hash."""
        ...


class Preparer(Protocol):
    """Runs a preparation step in a container; given to Assets by the controller."""

    def __call__(self, job: PreparationJob, *, say: Say) -> None:
        """Fill `job.output`; AssetError when the step fails or wrote nothing."""
        ...
