"""What an engine says about the images it holds, and what that means for a plan. Changes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator import __version__
from orchestrator.domain.image import ImageRef, PlannedImage, ReadyImage
from orchestrator.errors import ImageError
from orchestrator.host.docker_api import engine_errors
from orchestrator.images.render import Rendered

if TYPE_CHECKING:
    import docker

ENTRY_LABEL = "mlperf-docker.entry"
RECIPE_LABEL = "mlperf-docker.recipe"
OCI = "org.opencontainers.image"
_ORIGIN_LABEL = "mlperf-docker.base.origin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the engine says about an image that it holds."""

    id: str
    platform: str
    size_bytes: int
    digests: tuple[str, ...]
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A resolved base: the reference by which builders find it, the image itself, and where it came from."""

    reference: str
    image: Held
    origin: str


def look(client: docker.DockerClient, name: str) -> Held | None:
    """The image of that name or id, or None when the engine does not hold it."""
    from docker.errors import ImageNotFound

    with engine_errors(f"look for the image {name}"):
        try:
            found = client.images.get(name).attrs
        except ImageNotFound:
            return None
    return Held(
        id=str(found["Id"]),
        platform=f"{found['Os']}/{found['Architecture']}",
        size_bytes=int(found["Size"]),
        digests=tuple(found.get("RepoDigests") or ()),
        labels=dict((found.get("Config") or {}).get("Labels") or {}),
    )


def found_base(name: str, image: Held, platform: str) -> Base:
    """A held image as a base; ImageError when it is for another platform."""
    if image.platform != platform:
        raise ImageError(
            f"the base image {name} is for {image.platform}, and this run needs {platform}",
            hint="remove it from the engine, or name another with --base-image",
        )
    made = image.labels.get(_ORIGIN_LABEL)
    return Base(reference=name, image=image, origin=f"{name} ({made})" if made else name)


def chosen(wanted: PlannedImage, reference: ImageRef, image: Held, origin: str) -> ReadyImage:
    """An image that was named instead of made, with a warning when it is not of the planned recipe.

    Raises ImageError when it is for another platform.
    """
    if image.platform != wanted.platform:
        raise ImageError(
            f"{reference} is an image for {image.platform}, and this run needs {wanted.platform}",
            hint="name an image for this platform, or leave --image out to have it built here",
        )
    own = next((digest for digest in image.digests if digest.partition("@")[0] == reference.name), None)
    made_of = image.labels.get(RECIPE_LABEL)
    warnings = (
        ()
        if made_of == wanted.recipe
        else (f"{reference} was not made from this version's recipe ({(made_of or 'none')[:12]})",)
    )
    return ReadyImage(
        handle=image.id,
        image_id=image.id,
        reference=str(reference),
        identity=image.labels.get("mlperf-docker.identity", image.id.removeprefix("sha256:")),
        platform=image.platform,
        origin=origin,
        base_id=image.labels.get("mlperf-docker.base-id"),
        base_origin=image.labels.get("mlperf-docker.base-origin"),
        manifest_digest=own.partition("@")[2] if own else None,
        size_bytes=image.size_bytes,
        warnings=warnings,
    )


def identity_of(recipe: str, base_id: str) -> str:
    """The hash (64 hex digits) over a recipe and what it stands on."""
    return hashlib.sha256(f"{recipe}\n{base_id}\n".encode()).hexdigest()


def labels_of(rendered: Rendered, identity: str, base: Base, *, revision: str | None = None) -> dict[str, str]:
    """The labels of an image that is made here: where it comes from, readable wherever it goes.

    The OCI annotation `created` is left out: the same recipe on the same base is the same image.
    """
    ours = {
        ENTRY_LABEL: rendered.entry,
        "mlperf-docker.round": rendered.round or "any",
        RECIPE_LABEL: rendered.recipe,
        "mlperf-docker.dockerfile": hashlib.sha256(rendered.text.encode()).hexdigest(),
        "mlperf-docker.identity": identity,
        "mlperf-docker.base-id": base.image.id,
        "mlperf-docker.base-origin": base.origin,
    }
    ours.update({f"mlperf-docker.source.{source.name}": source.described for source in rendered.sources})
    named = ImageRef.parse(base.reference)
    digests = (digest.partition("@") for digest in base.image.digests)
    standard = {
        "title": rendered.entry,
        "version": __version__,
        "revision": revision,
        "base.name": str(named) if named.name else None,
        "base.digest": named.digest or next((digest for name, _, digest in digests if name == named.name), None),
    }
    return {**ours, **{f"{OCI}.{name}": value for name, value in standard.items() if value}}
