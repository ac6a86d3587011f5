"""Images by themselves, without a run: render, have, pull, push, lock, prune. Decides round, platform, order."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from orchestrator.config.catalog import load_round
from orchestrator.config.images import image_entries
from orchestrator.config.settings import Settings
from orchestrator.controller.connect import connect_to, places_of, site_of
from orchestrator.domain.image import NO_CHOICE, ImageChoice, ImageEntry, ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.ports import Images, Output, Say
from orchestrator.domain.redact import RedactedLines, secrets_of
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import EngineName, Pull
from orchestrator.errors import ImageError, UsageError
from orchestrator.host.docker_api import connect
from orchestrator.host.machine import platform_name
from orchestrator.images.push import unpublishable
from orchestrator.images.registry_faults import TamperedImageError
from orchestrator.images.render import Rendered, render

if TYPE_CHECKING:
    import docker

    from orchestrator.images.lock import Pin
    from orchestrator.images.places import Places
    from orchestrator.images.prune import Leftover

T = TypeVar("T")
_LOG: Output = RedactedLines(sys.stderr.buffer.write, secrets_of(os.environ)).write


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedImage:
    """An image that a registry now has. `signature` is the tag of its signature, None when no key was named."""

    entry: str
    reference: str
    manifest_digest: str
    image_id: str
    signature: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """An image that was removed (or would be); `kept` says why the engine did not let it go."""

    image: str
    reason: str
    size_bytes: int
    kept: str | None = None


def render_entry(name: str, settings: Settings, choice: ImageChoice = NO_CHOICE) -> Rendered:
    """The rendered recipe of an image for the settings' round and this machine's platform."""
    return render(_entry(name, choice), load_round(settings.round).name, platform_name(), choice=choice)


def ensure_entry(name: str, settings: Settings, choice: ImageChoice, *, say: Say) -> ReadyImage:
    """The image as the engine holds it; built with its output on stderr when it has to be."""
    _entry(name, choice)
    job = Job(settings, choice)
    return job.images.ensure(job.wanted(name), log=_LOG, say=say)


def pull_images(names: tuple[str, ...], settings: Settings, *, say: Say) -> tuple[ReadyImage, ...]:
    """Have published images, without building any; a name may be a reference of any registry instead.

    Without names: all that can be published for round and platform, those that are not there left out, and said.
    """
    job = Job(settings, ImageChoice(pull=Pull.ONLY))

    def have(name: str) -> ReadyImage:
        if name in image_entries():
            return job.images.ensure(job.wanted(name), log=_LOG, say=say)
        choice = ImageChoice(reference=ImageRef.parse(name), pull=Pull.ALWAYS)
        wanted = PlannedImage(entry=name, round=job.round, platform=job.platform, recipe="", choice=choice)
        return replace(job.images.ensure(wanted, log=_LOG, say=say), warnings=())

    if names:
        return tuple(have(name) for name in select(names, references=True))
    _registry_of(job)
    found = tuple(_each(job.publishable(say), have, say))
    if not found:
        raise ImageError(
            "no image could be pulled", hint="the lines above say why; scripts/publish-images fills a registry"
        )
    return found


def push_images(
    names: tuple[str, ...],
    settings: Settings,
    *,
    sign_key: Path | None = None,
    choice: ImageChoice = NO_CHOICE,
    say: Say,
) -> tuple[PublishedImage, ...]:
    """Have images (built where they are not there), push them to the settings' registry, and sign them.

    ImageError for one whose licence forbids it; without names such are left out, and said. Then one that cannot be
    made does not keep the others from being pushed; the error comes in the end, and names them all.
    """
    job = Job(settings, choice)
    select(names)
    _registry_of(job)
    for name in names:
        reason = unpublishable(image_entries()[name])
        if reason is not None:
            raise ImageError(
                f"image '{name}' is never pushed: {reason}", hint="it is made on each machine that needs it"
            )
    if sign_key is not None:
        from orchestrator.images.signing import private_key

        private_key(sign_key)
    if names:
        return tuple(_push(name, job, sign_key, say) for name in names)
    return _push_all(job, sign_key, say)


def _push_all(job: Job, sign_key: Path | None, say: Say) -> tuple[PublishedImage, ...]:
    allowed = job.publishable(say)
    pushed = tuple(_each(allowed, lambda name: _push(name, job, sign_key, say), say, failed="not published:"))
    missing = [name for name in allowed if name not in {one.entry for one in pushed}]
    for one in pushed if missing else ():
        say(f"published {one.reference}  {one.manifest_digest}")
    if missing:
        raise ImageError(
            f"{len(missing)} of {len(allowed)} images could not be published: {', '.join(missing)}",
            hint="the lines above say why; the others are in the registry",
        )
    return pushed


def _push(name: str, job: Job, sign_key: Path | None, say: Say) -> PublishedImage:
    from orchestrator.images.push import push

    wanted = job.wanted(name)
    ready = job.images.ensure(wanted, log=_LOG, say=say)
    target = job.target(name, wanted)
    with job.engine() as client:
        digest = push(client, ready.image_id, target, log=_LOG, say=say, stall_s=job.places.stall_s)
    signature = None
    if sign_key is not None:
        from orchestrator.images.registry import Registry
        from orchestrator.images.signing import sign

        with Registry(target, site=site_of(job.settings), timeout_s=job.places.stall_s) as registry:
            signature = sign(registry, target, digest, sign_key)
    return PublishedImage(
        entry=name, reference=str(target), manifest_digest=digest, image_id=ready.image_id, signature=signature
    )


def lock_images(names: tuple[str, ...], settings: Settings, *, say: Say) -> tuple[Pin, ...]:
    """Write what the registry holds of these images into images.lock, beside what stands there already.

    Nothing is pulled. Without names: all that the registry holds for round and platform.
    """
    from orchestrator.images.lock import read_lock, write_lock

    job = Job(settings, NO_CHOICE)
    select(names)
    _registry_of(job)
    if names:
        pins = tuple(_pin(name, job) for name in names)
    else:
        pins = tuple(_each(job.publishable(say), lambda name: _pin(name, job), say))
    if not pins:
        raise ImageError("the registry holds no image to lock", hint="publish them first: scripts/publish-images")
    write_lock(settings.images_lock, read_lock(settings.images_lock).with_pins(pins))
    return pins


def _pin(name: str, job: Job) -> Pin:
    from orchestrator.images.held import OCI, RECIPE_LABEL
    from orchestrator.images.lock import Pin
    from orchestrator.images.registry import Registry

    wanted = job.wanted(name)
    target = job.target(name, wanted)
    with Registry(target, site=site_of(job.settings), timeout_s=job.places.stall_s) as registry:
        manifest = registry.manifest(target.tag or "latest")
        config = registry.config(manifest)
    labels = (config.get("config") or {}).get("Labels") or {}
    platform = f"{config.get('os')}/{config.get('architecture')}"
    if labels.get(RECIPE_LABEL) != wanted.recipe or platform != wanted.platform:
        raise ImageError(
            f"{target} is not of this version's recipe and platform: it is {labels.get(RECIPE_LABEL, 'none')[:12]}, "
            f"{platform}",
            hint="somebody replaced it: publish it anew with scripts/publish-images",
        )
    return Pin(
        entry=name,
        round=job.recipe(name).round or "any",
        platform=wanted.platform,
        reference=str(target),
        manifest_digest=manifest.digest,
        config_digest=str(manifest.config_digest),
        recipe=wanted.recipe,
        base_digest=labels.get(f"{OCI}.base.digest"),
    )


def prune_images(settings: Settings, *, dry_run: bool, stages: bool, say: Say) -> tuple[Pruned, ...]:
    """Remove old images of ours and layers of build stages; `dry_run` only says which."""
    from orchestrator.images.prune import leftovers, remove

    job = Job(settings, NO_CHOICE)
    with job.engine() as client:
        found = leftovers(client, image_entries(), _current(job), stages=stages)
        pruned = []
        for one in found:
            kept = None if dry_run else remove(client, one)
            if kept is None and not dry_run:
                say(f"removed {one.shown}: {one.reason}")
            pruned.append(_pruned(one, kept))
    return tuple(pruned)


def _pruned(leftover: Leftover, kept: str | None) -> Pruned:
    return Pruned(image=leftover.shown, reason=leftover.reason, size_bytes=leftover.size_bytes, kept=kept)


def _current(job: Job) -> Callable[[str, str], str | None]:
    """The recipe of an entry for a round as this version has it; None where it cannot be told."""

    def recipe(entry: str, round_name: str) -> str | None:
        try:
            name = job.round if round_name == "any" else round_name
            return job.images.plan(entry, round_name=name, platform=job.platform)
        except (ImageError, UsageError):
            return None

    return recipe


class Job:
    """The settings of one command, wired for the Docker engine."""

    def __init__(self, settings: Settings, choice: ImageChoice) -> None:
        self.settings = settings
        self.choice = choice
        self.round = load_round(settings.round).name
        connected = connect_to(EngineName.DOCKER, settings, round_name=self.round, choice=choice)
        self.images: Images = connected.images
        self.platform = connected.ground.platform
        self.carrier = connected.engine

    @property
    def places(self) -> Places:
        """Where images come from and go to."""
        return places_of(self.settings)

    def wanted(self, name: str) -> PlannedImage:
        """The image as it is planned now."""
        recipe = self.images.plan(name, round_name=self.round, platform=self.platform, choice=self.choice)
        return PlannedImage(entry=name, round=self.round, platform=self.platform, recipe=recipe, choice=self.choice)

    def recipe(self, name: str) -> Rendered:
        """The rendered recipe."""
        return render(_entry(name), self.round, self.platform, choice=self.choice)

    def target(self, name: str, wanted: PlannedImage) -> ImageRef:
        """Where the image stands, or is to stand, in the registry."""
        found = self.places.published(_entry(name), self.recipe(name).round, self.platform, wanted.recipe)
        assert found is not None  # noqa: S101 - _registry_of was asked
        return found

    def publishable(self, say: Say) -> tuple[str, ...]:
        """All images for round and platform that may leave this machine; the others are said, with the reason."""
        return self.servable(say, unpublishable)

    def servable(self, say: Say, unfit: Callable[[ImageEntry], str | None] = lambda _: None) -> tuple[str, ...]:
        """All images for round and platform but the unfit; those that are left out are said, with the reason."""
        found = []
        for name, entry in image_entries().items():
            reason = unfit(entry) or self._unservable(name)
            if reason is None:
                found.append(name)
            else:
                say(f"left out {name}: {reason}")
        return tuple(found)

    def _unservable(self, name: str) -> str | None:
        try:
            rendered = self.recipe(name)
        except ImageError as error:
            return error.cause
        return next((cause for cause, _ in rendered.missing), None)

    @contextmanager
    def engine(self) -> Iterator[docker.DockerClient]:
        """A connection to the engine."""
        client = connect(self.settings.docker_url)
        try:
            yield client
        finally:
            client.close()


def _each(names: tuple[str, ...], action: Callable[[str], T], say: Say, *, failed: str = "left out") -> Iterator[T]:
    """What the action gives for each name; one that cannot be had is said, and left out. Spoilt content ends it."""
    for name in names:
        try:
            yield action(name)
        except TamperedImageError:
            raise
        except ImageError as error:
            say(f"{failed} {name}: {error.cause}")


def _registry_of(job: Job) -> str:
    if job.settings.registry is None:
        raise UsageError(
            "no registry is configured",
            hint="name one: --registry HOST[:PORT][/PATH], MLPERF_DOCKER_REGISTRY, or the setting 'registry'",
        )
    return job.settings.registry


def _entry(name: str, choice: ImageChoice = NO_CHOICE) -> ImageEntry:
    """The entry; UsageError for one that there is not, and for sources and SDKs that it is not made from."""
    entries = image_entries()
    if name not in entries:
        raise unknown("image", name, entries)
    found = entries[name]
    for option, given, known in (
        ("--source", choice.sources, [source.name for source in found.sources]),
        ("--sdk", choice.sdks, found.sdks),
    ):
        for given_name, _ in given:
            if given_name not in known:
                raise unknown(f"{option} of image '{name}'", given_name, known)
    return found


def select(names: tuple[str, ...], *, references: bool = False) -> tuple[str, ...]:
    """The names, when each is an image of images.yaml (or looks like a reference, where those are taken)."""
    for name in names:
        if not (references and set(name) & set("/:@")):
            _entry(name)
    return names
