"""The ports, filled by small fakes: an engine that writes recorded LoadGen logs, images and assets that are there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.controller.run import Tools
from orchestrator.domain.asset import Asset, PlannedAsset, ReadyAsset
from orchestrator.domain.container import Capability, ContainerSpec, EngineInfo, Exit
from orchestrator.domain.image import NO_CHOICE, ImageChoice, PlannedImage, ReadyImage, Recipe
from orchestrator.domain.ports import Meter, Output, Say, no_meter
from orchestrator.domain.terms import EngineName
from orchestrator.host.files import sha256_file

IMAGE_ID = "sha256:" + "a" * 64
RECORDINGS = Path(__file__).parents[1] / "recordings"


def offline_logs(output: Path) -> None:
    """What a harness leaves after a short Offline performance run: a real log of LoadGen 6.0.17."""
    _logs(output, "6.0.17-offline-performance-valid")


def accuracy_logs(output: Path) -> None:
    """What a harness leaves after an Offline accuracy run: 17 of 20 right, over LoadGen's own log."""
    _logs(output, "6.0.17-offline-accuracy-valid")
    answers = shutil.copy(
        RECORDINGS / "6.0.17-offline-accuracy-valid.accuracy.json", output / "mlperf_log_accuracy.json"
    )
    accuracy = {"metric": "top1", "value": 0.85, "good": 17, "total": 20, "log_sha256": sha256_file(Path(answers))}
    (output / "report.json").write_text(json.dumps({"accuracy": accuracy}))
    (output / "accuracy.txt").write_text("accuracy=85.000%, good=17, total=20\n")


def _logs(output: Path, recording: str) -> None:
    shutil.copy(RECORDINGS / f"{recording}.detail.txt", output / "mlperf_log_detail.txt")
    for name in ("mlperf_log_summary.txt", "mlperf_log_accuracy.json"):
        (output / name).write_text("")
    (output / "report.json").write_text(json.dumps({"accuracy": None}))


class FakeContainer:
    """Ends at once, as it was told."""

    id = "0" * 64

    def __init__(self, ended: Exit) -> None:
        self._ended = ended

    def wait(self, timeout_s: float | None = None) -> Exit:
        """The end it was made with."""
        return self._ended

    def probe(self, command: tuple[str, ...], timeout_s: float) -> int:
        """Healthy, unless it failed."""
        return 0 if self._ended.code == 0 else 125

    def running(self) -> bool:
        """As long as it did not fail."""
        return self._ended.code == 0

    def stop(self, grace_s: float = 10.0) -> None:
        """It has ended already."""


@dataclass
class FakeEngine:
    """Enforces everything; every container calls `harness` with its output folder, prints `says`, ends with `ended`."""

    harness: Callable[[Path], None] = offline_logs
    says: tuple[bytes, ...] = ()
    ended: Exit = Exit(code=0, image_id=IMAGE_ID)
    capabilities: frozenset[Capability] = frozenset(Capability)
    name: EngineName = EngineName.DOCKER
    started: list[ContainerSpec] = field(default_factory=list)

    def info(self) -> EngineInfo:
        """A fixed description."""
        return EngineInfo(
            name="fake", version="1", endpoint="here", platform="linux/amd64", capabilities=self.capabilities
        )

    @contextmanager
    def start(self, spec: ContainerSpec, *, run_id: str, output: Output) -> Iterator[FakeContainer]:
        """Run to the end before it is handed out."""
        self.started.append(spec)
        for piece in self.says:
            output(piece)
        self.harness(next(mount.source for mount in spec.mounts if not mount.read_only))
        yield FakeContainer(self.ended)

    def shell(self, spec: ContainerSpec, *, run_id: str) -> int:
        """No terminal here."""
        raise NotImplementedError

    def equivalent(self, spec: ContainerSpec) -> str:
        """A line to show."""
        return "fake run"

    def clean(self) -> tuple[str, ...]:
        """Nothing is ever left."""
        return ()


class FakeImages:
    """Every image is there."""

    def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
        """A hash of the question."""
        return hashlib.sha256(f"{entry} {round_name} {platform}".encode()).hexdigest()

    def recipe(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Recipe:
        """Nothing is missing."""
        return Recipe(hash=self.plan(entry, round_name=round_name, platform=platform, choice=choice))

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        """The one image."""
        return self.ensure(wanted, log=lambda _: None, say=lambda _: None)

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        """The one image."""
        return ReadyImage(
            handle=IMAGE_ID,
            image_id=IMAGE_ID,
            reference=f"fake/{wanted.entry}",
            identity="b" * 64,
            platform=wanted.platform,
            origin="present",
        )


class FakeAssets:
    """Every asset is there, made from nothing."""

    def plan(self, asset: Asset, catalogue: Callable[[str], Asset]) -> tuple[PlannedAsset, ...]:
        """The asset alone, in a folder named after it."""
        return (
            PlannedAsset(asset=asset, key=asset.key(), path=Path("/cache") / asset.name, present=True, fetch_bytes=0),
        )

    def needed(self, planned: tuple[PlannedAsset, ...]) -> tuple[PlannedAsset, ...]:
        """All."""
        return planned

    def ensure(
        self, planned: PlannedAsset, *, say: Say, meter: Meter = no_meter, used_by: str | None = None
    ) -> ReadyAsset:
        """As planned."""
        return ReadyAsset(
            name=planned.asset.name, key=planned.key, path=planned.path, files=(), trust="pinned", fetched=False
        )


def tools(engine: FakeEngine | None = None) -> Tools:
    """What a run works with."""
    return Tools(
        engine=engine or FakeEngine(),
        images=FakeImages(),
        assets=FakeAssets(),
        describe_machine=lambda: {"processors": 2},
    )


def interrupting(error: BaseException) -> Callable[[Path], None]:
    """A harness during which the controller is asked to stop."""

    def harness(output: Path) -> None:
        (output / "mlperf_log_detail.txt").write_text("")
        raise error

    return harness
