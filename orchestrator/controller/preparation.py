"""Run a preparation step in a container: ensure its image, mount inputs read-only, believe only what it wrote."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from orchestrator.domain.asset import PreparationJob
from orchestrator.domain.container import ContainerSpec, Mount, Network, Outcome, outcome
from orchestrator.domain.image import ImageChoice, PlannedImage
from orchestrator.domain.ports import Engine, Images, Say
from orchestrator.domain.source import Prepared
from orchestrator.domain.terms import EngineName
from orchestrator.errors import AssetError


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPreparer:
    """Implements `Preparer` with an engine and its images."""

    engine: Engine
    images: Images
    round: str
    platform: str
    user: tuple[int, int]
    choice: ImageChoice

    def __call__(self, job: PreparationJob, *, say: Say) -> None:
        """Fill `job.output` by one step of `orchestrator.preparation`."""
        source = job.source
        if not isinstance(source, Prepared):
            raise AssetError(f"asset '{job.asset}': scripts of the benchmark's repository are not run yet")
        wanted = PlannedImage(
            entry=source.image,
            round=self.round,
            platform=self.platform,
            recipe=self.images.plan(source.image, round_name=self.round, platform=self.platform),
            choice=self.choice,
        )
        ready = self.images.ensure(wanted, log=lambda _: None, say=say)
        output = KeptOutput()
        with self.engine.start(
            self._spec(job, source, ready.handle), run_id=f"prepare-{job.asset}", output=output.take
        ) as step:
            ended = step.wait(None)
        how = outcome(ended)
        if how is not Outcome.DONE:
            raise AssetError(
                f"the preparation step '{source.step}' ended badly: {how.value} (exit status {ended.code}): "
                f"{output.last_error}",
                hint="the step is part of this program: please report it with this message",
            )

    def _spec(self, job: PreparationJob, source: Prepared, handle: str) -> ContainerSpec:
        native = self.engine.name is EngineName.NATIVE
        inside = {name: PurePosixPath(path) if native else PurePosixPath("/in") / name for name, path in job.inputs}
        target = PurePosixPath(job.output) if native else PurePosixPath("/prepared")
        command = ["python", "-m", "orchestrator.preparation", source.step, "--output", str(target)]
        for name, path in inside.items():
            command += ["--input", f"{name}={path}"]
        for key, value in source.parameters:
            command += ["--set", f"{key}={value}"]
        return ContainerSpec(
            image=handle,
            command=tuple(command),
            mounts=(
                *(Mount(source=path, target=inside[name]) for name, path in job.inputs),
                Mount(source=job.output, target=target, read_only=False),
            ),
            user=None if native else self.user,
            network=Network.NONE,
            workdir=target,
        )


class KeptOutput:
    """Keeps a step's output in memory (steps print little) to quote its error."""

    def __init__(self) -> None:
        self._raw = b""

    def take(self, piece: bytes) -> None:
        """Bytes as they come; the last 64 KiB are kept."""
        self._raw = (self._raw + piece)[-65536:]

    @property
    def last_error(self) -> str:
        """The step's own error line, else its last line."""
        lines = [line for line in self._raw.decode("utf-8", "replace").splitlines() if line.strip()]
        said = next((line for line in reversed(lines) if line.startswith("error:")), None)
        return said or (lines[-1] if lines else "it said nothing")
