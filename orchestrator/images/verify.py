"""Is an image what it claims to be: digest, labels, recipe, signature. Judges values; runs no container."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageRef
from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.context import ContextFile
from orchestrator.images.held import ENTRY_LABEL, RECIPE_LABEL, Held
from orchestrator.images.lock import Pin
from orchestrator.images.places import Places
from orchestrator.images.registry import Registry
from orchestrator.images.render import Rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

# How recipes check LoadGen's seeds: files of theirs (so part of their hash), and the command with these as {0}, {1}.
_SEEDS_CHECKS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("build/check_seeds.py", "build/seeds.json"), ("python3", "{0}", "{1}")),
    (("program/seeds.json",), ("mlperf-sut", "--check-seeds", "{0}")),
)


class Outcome(StrEnum):
    """What became of one check."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "not checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of one image, and why it ended so."""

    name: str
    outcome: Outcome
    text: str


def checks_of(image: Held, rendered: Rendered, pin: Pin | None) -> tuple[Check, ...]:
    """Everything that the engine's own words about an image decide."""
    return (*_digests(image, pin), *_labels(image, rendered), _recipe(image, rendered))


def signature_check(reference: ImageRef, digest: str | None, places: Places, site: Site) -> Check:
    """Whether the configured key signed the image that a registry holds under this digest."""
    if places.key is None:
        return Check(name="signature", outcome=Outcome.SKIPPED, text="no key is configured (setting 'image_key')")
    if digest is None:
        return Check(name="signature", outcome=Outcome.SKIPPED, text="made here, never pushed or pulled")
    from orchestrator.images.signing import check_signature

    try:
        with Registry(reference, site=site, timeout_s=places.stall_s) as registry:
            check_signature(registry, reference, digest, places.key)
    except ImageError as error:
        return Check(name="signature", outcome=Outcome.FAILED, text=error.cause)
    return Check(name="signature", outcome=Outcome.OK, text=f"by the key in {places.key}")


def seeds_program(rendered: Rendered, folder: PurePosixPath) -> tuple[tuple[ContextFile, ...], tuple[str, ...]] | None:
    """The recipe's own check of LoadGen's seeds: its files, and the command when they lie in `folder`; else None."""
    held = {file.path: file for file in rendered.files}
    for paths, command in _SEEDS_CHECKS:
        if all(path in held for path in paths):
            inside = [str(folder / PurePosixPath(path).name) for path in paths]
            return tuple(held[path] for path in paths), tuple(word.format(*inside) for word in command)
    return None


def _digests(image: Held, pin: Pin | None) -> Iterator[Check]:
    if pin is None:
        yield Check(name="digest", outcome=Outcome.SKIPPED, text="images.lock does not pin it")
        return
    if image.id != pin.config_digest:
        text = f"the engine holds {image.id}, images.lock says {pin.config_digest}"
        yield Check(name="digest", outcome=Outcome.FAILED, text=text)
        return
    manifests = {digest.partition("@")[2] for digest in image.digests}
    if manifests and pin.manifest_digest not in manifests:
        text = f"known as {', '.join(sorted(manifests))}, images.lock says {pin.manifest_digest}"
        yield Check(name="digest", outcome=Outcome.FAILED, text=text)
        return
    yield Check(name="digest", outcome=Outcome.OK, text=f"{pin.config_digest[:19]}… as images.lock pins it")


def _labels(image: Held, rendered: Rendered) -> Iterator[Check]:
    wanted = {ENTRY_LABEL: rendered.entry, "mlperf-docker.round": rendered.round or "any"}
    wrong = [
        f"{name} is {image.labels.get(name, 'missing')}" for name in wanted if image.labels.get(name) != wanted[name]
    ]
    if image.platform != rendered.platform:
        wrong.append(f"it is for {image.platform}, not for {rendered.platform}")
    missing = [name for name in ("mlperf-docker.identity", "mlperf-docker.base-origin") if name not in image.labels]
    wrong += [f"{name} is missing" for name in missing]
    if wrong:
        yield Check(name="labels", outcome=Outcome.FAILED, text="; ".join(wrong))
        return
    said = ", ".join(f"{name.removeprefix('mlperf-docker.')} {value}" for name, value in wanted.items())
    revision = image.labels.get("org.opencontainers.image.revision", "of no known revision")
    yield Check(name="labels", outcome=Outcome.OK, text=f"{said}, {image.platform}, source {revision}")


def _recipe(image: Held, rendered: Rendered) -> Check:
    made_of = image.labels.get(RECIPE_LABEL, "none")
    if made_of == rendered.recipe:
        return Check(name="recipe", outcome=Outcome.OK, text=f"{made_of[:12]}, this version's")
    dockerfile = hashlib.sha256(rendered.text.encode()).hexdigest()
    same = image.labels.get("mlperf-docker.dockerfile") == dockerfile
    where = "its files differ" if same else "its Dockerfile differs"
    text = f"made from {made_of[:12]}, this version's is {rendered.recipe[:12]} ({where})"
    return Check(name="recipe", outcome=Outcome.FAILED, text=text)
