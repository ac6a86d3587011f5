"""Verify images: what the engine says of them, the registry's signature, and LoadGen's seeds, read inside."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.config.settings import Settings
from orchestrator.controller.connect import site_of
from orchestrator.controller.image_work import Job, select
from orchestrator.domain.container import ContainerSpec, Mount, Network
from orchestrator.domain.image import NO_CHOICE, ImageRef
from orchestrator.domain.ports import Engine, Say
from orchestrator.errors import EngineError, ImageError
from orchestrator.images.held import look
from orchestrator.images.lock import read_lock
from orchestrator.images.render import Rendered
from orchestrator.images.verify import Check, Outcome, checks_of, seeds_program, signature_check

if TYPE_CHECKING:
    import docker

    from orchestrator.images.held import Held
    from orchestrator.images.lock import Pin

_INSIDE = PurePosixPath("/verify")
_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """The checks of one image; `image_id` is None when the engine holds none of that name."""

    entry: str
    reference: str | None
    image_id: str | None
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether no check failed."""
        return all(check.outcome is not Outcome.FAILED for check in self.checks)


def verify_images(names: tuple[str, ...], settings: Settings, *, say: Say) -> tuple[VerifiedImage, ...]:
    """Check images that the engine holds. Without names: all that it holds for round and platform."""
    job = Job(settings, NO_CHOICE)
    select(names)
    pins = read_lock(settings.images_lock)
    found = []
    with job.engine() as client:
        for name in names or job.servable(say):
            rendered = job.recipe(name)
            pin = pins.find(name, rendered.round, job.platform)
            held = _find(client, name, job, pin)
            if held is not None:
                found.append(_verify(name, job, rendered, held, pin))
            elif names:
                missing = Check(name="present", outcome=Outcome.FAILED, text="the engine does not hold it")
                found.append(VerifiedImage(entry=name, reference=None, image_id=None, checks=(missing,)))
    if not found:
        raise ImageError(
            f"the engine holds no image of this version for round {job.round} on {job.platform}",
            hint="have one with: mlperf-docker images pull (or build) NAME",
        )
    return tuple(found)


def _find(client: docker.DockerClient, name: str, job: Job, pin: Pin | None) -> tuple[str, Held] | None:
    """The image under the name it goes by: pinned, published, or made here."""
    wanted = job.wanted(name)
    candidates = [pin.config_digest, pin.reference] if pin else []
    if job.settings.registry is not None:
        candidates.append(str(job.target(name, wanted)))
    for candidate in candidates:
        image = look(client, candidate)
        if image is not None:
            return (pin.reference if pin and candidate == pin.config_digest else candidate), image
    ready = job.images.present(wanted)
    image = look(client, ready.image_id) if ready else None
    return (ready.reference, image) if ready and image else None


def _verify(name: str, job: Job, rendered: Rendered, found: tuple[str, Held], pin: Pin | None) -> VerifiedImage:
    reference, image = found
    named = ImageRef.parse(reference)
    digest = next((text.partition("@")[2] for text in image.digests if text.partition("@")[0] == named.name), None)
    return VerifiedImage(
        entry=name,
        reference=reference,
        image_id=image.id,
        checks=(
            *checks_of(image, rendered, pin),
            signature_check(named, digest, job.places, site_of(job.settings)),
            seeds_check(job.carrier, image.id, rendered),
        ),
    )


def seeds_check(engine: Engine, image_id: str, rendered: Rendered) -> Check:
    """Read the seeds of the LoadGen inside, with the recipe's own program, in a container without network."""
    program = seeds_program(rendered, _INSIDE)
    if program is None:
        return Check(name="seeds", outcome=Outcome.SKIPPED, text="its recipe brings no check of LoadGen's seeds")
    files, command = program
    heard = bytearray()
    with tempfile.TemporaryDirectory(prefix="mlperf-docker-verify-") as folder:
        Path(folder).chmod(0o755)
        for file in files:
            Path(folder, Path(file.path).name).write_bytes(file.content)
        spec = ContainerSpec(
            image=image_id,
            command=command,
            mounts=(Mount(source=Path(folder), target=_INSIDE),),
            network=Network.NONE,
        )
        try:
            with engine.start(spec, run_id="images-verify", output=heard.extend) as container:
                ended = container.wait(_PATIENCE_S)
        except EngineError as error:
            return Check(name="seeds", outcome=Outcome.FAILED, text=str(error))
    said = heard.decode("utf-8", "replace").strip()
    if ended.code != 0:
        return Check(name="seeds", outcome=Outcome.FAILED, text=said or f"the check ended with status {ended.code}")
    return Check(name="seeds", outcome=Outcome.OK, text=f"LoadGen's, as round {rendered.round} has them")
