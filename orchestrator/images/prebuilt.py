"""The published image of a recipe: where it stands, whether it is held, fetching it. Never falls back to another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageEntry, ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.site import Site
from orchestrator.errors import ImageError
from orchestrator.images.held import RECIPE_LABEL, Held, chosen, look
from orchestrator.images.lock import Pin, read_lock
from orchestrator.images.places import Places
from orchestrator.images.pull import inquire, pull
from orchestrator.images.registry import Registry
from orchestrator.images.registry_faults import TamperedImageError, WrongPlatformError

if TYPE_CHECKING:
    import docker


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """Where a recipe's image stands in a registry; `pin` when images.lock says which one it has to be.

    `outdated`: images.lock pins one of another recipe, which means nothing for this one.
    """

    reference: ImageRef
    pin: Pin | None = None
    outdated: bool = False

    @property
    def said(self) -> str:
        """The reference, and what pins it."""
        return f"{self.reference} as images.lock pins it" if self.pin else str(self.reference)


def published(entry: ImageEntry, wanted: PlannedImage, round_name: str | None, places: Places) -> Published | None:
    """Where to look for the image of this recipe; None when nothing says where, or nobody can have published it.

    A pin of images.lock holds for its own recipe alone. Raises ConfigError for a lock file that cannot be read.
    """
    choice = wanted.choice
    if choice.sources or choice.sdks or choice.base is not None:
        return None
    pin = _pin(places.lock_file, entry.name, round_name, wanted)
    reference = places.published(entry, round_name, wanted.platform, wanted.recipe)
    if pin is not None and pin.recipe == wanted.recipe:
        own = ImageRef.parse(pin.reference)
        return Published(reference=replace(reference or own, digest=None), pin=pin)
    return Published(reference=reference, outdated=pin is not None) if reference is not None else None


def held_prebuilt(client: docker.DockerClient, where: Published, wanted: PlannedImage) -> ReadyImage | None:
    """The published image if the engine holds it: this recipe, and exactly the pinned one where one is pinned."""
    names = [str(where.reference), *([where.pin.config_digest] if where.pin else [])]
    for name in names:
        image = look(client, name)
        if image is not None and _is_it(image, where, wanted):
            return chosen(wanted, where.reference, image, "present")
    return None


def fetch_prebuilt(
    client: docker.DockerClient,
    where: Published,
    wanted: PlannedImage,
    *,
    places: Places,
    site: Site,
    log: Output,
    say: Say,
    attempts: int,
) -> ReadyImage:
    """Fetch it: by digest, signature first where a key is configured, recipe and platform checked.

    ImageError says why it cannot be had; TamperedImageError is never to be worked around.
    """
    reference, digest = where.reference, where.pin.manifest_digest if where.pin else None
    if digest is None:
        remote = inquire(client, reference, say=say, stall_s=places.stall_s, attempts=attempts)
        if remote is not None and remote.platforms and wanted.platform not in remote.platforms:
            raise WrongPlatformError(
                f"{reference} is an image for {', '.join(remote.platforms)}, and this run needs {wanted.platform}"
            )
        digest = remote.digest if remote is not None else None
    if places.key is not None:
        _check_signature(reference, digest, places, site)
    found = pull(
        client,
        reference,
        wanted.platform,
        digest=digest,
        inquired=where.pin is None,
        log=log,
        say=say,
        stall_s=places.stall_s,
        attempts=attempts,
    )
    image = look(client, found)
    if image is None:
        raise ImageError(f"{reference} was pulled, but the engine does not have it", hint="look at the engine's log")
    if where.pin is not None and image.id != where.pin.config_digest:
        raise TamperedImageError(
            f"{where.said}: the image's id is {image.id}, and images.lock says {where.pin.config_digest}",
            hint="do not use it before that is explained; `mlperf-docker images lock` writes the file anew",
        )
    if image.labels.get(RECIPE_LABEL) != wanted.recipe:
        raise ImageError(f"{reference} was made from another recipe ({image.labels.get(RECIPE_LABEL, 'none')[:12]})")
    return chosen(wanted, reference, image, "pulled")


def _is_it(image: Held, where: Published, wanted: PlannedImage) -> bool:
    if image.labels.get(RECIPE_LABEL) != wanted.recipe or image.platform != wanted.platform:
        return False
    return where.pin is None or image.id == where.pin.config_digest


def _check_signature(reference: ImageRef, digest: str | None, places: Places, site: Site) -> None:
    from orchestrator.images.signing import check_signature

    if digest is None:
        raise ImageError(
            f"this engine cannot tell the digest of {reference}, so its signature cannot be checked",
            hint="use a Docker engine, pin the image in images.lock, or take the setting 'image_key' out",
        )
    assert places.key is not None  # noqa: S101 - the caller asked
    with Registry(reference, site=site, timeout_s=places.stall_s) as registry:
        check_signature(registry, reference, digest, places.key)


def _pin(path: Path | None, entry: str, round_name: str | None, wanted: PlannedImage) -> Pin | None:
    if path is None:
        return None
    return read_lock(path).find(entry, round_name, wanted.platform)
