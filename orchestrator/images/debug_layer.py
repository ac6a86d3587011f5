"""The layer with gdb and strace over an image: present, or built. Its runs are never submittable."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.image import PlannedImage, ReadyImage
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.site import Site
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.files import lock
from orchestrator.host.retry import transient
from orchestrator.images.context import SourceTree
from orchestrator.images.held import identity_of, look
from orchestrator.images.render import Rendered, render_debug

if TYPE_CHECKING:
    import docker

DEBUG_LABEL = "mlperf-docker.debug"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the layer is made: the engine, the shipped files, the site's network, and where locks lie."""

    client: docker.DockerClient
    url: str | None
    tree: SourceTree
    site: Site
    locks: Path


def present(
    client: docker.DockerClient, wanted: PlannedImage, inner: ReadyImage, tree: SourceTree
) -> ReadyImage | None:
    """The image with the layer, if the engine holds it."""
    _, identity, tag = _named(wanted, inner, tree)
    image = look(client, tag)
    if image is None:
        return None
    return replace(
        inner,
        handle=image.id,
        image_id=image.id,
        reference=tag,
        identity=identity,
        manifest_digest=None,
        size_bytes=image.size_bytes,
    )


def ensure(place: Place, wanted: PlannedImage, inner: ReadyImage, *, log: Output, say: Say) -> ReadyImage:
    """Have the image with the layer; ImageError where it would have to be built and building is forbidden."""
    from orchestrator.images.build import BuildRequest, choose_builder

    ready = present(place.client, wanted, inner, place.tree)
    if ready is not None:
        return ready
    if wanted.choice.pull is Pull.ONLY:
        raise ImageError(
            "the debug layer is not here, and building is forbidden", hint="leave out --pull only: it is built here"
        )
    rendered, identity, tag = _named(wanted, inner, place.tree)
    request = BuildRequest(
        rendered=rendered, base=inner.reference, tag=tag, labels={DEBUG_LABEL: "true"}, site=place.site
    )
    say(f"adding gdb and strace to {inner.reference}")
    builder = choose_builder(place.client, place.url, needs_buildkit=False, entry=wanted.entry)
    with lock(place.locks / f"image-{identity[:12]}.lock"):
        transient(lambda: builder.build(request, log=log), say=say, attempts=3)
    ready = present(place.client, wanted, inner, place.tree)
    if ready is None:
        raise ImageError(f"{tag} was built, but the engine does not have it", hint="look at its log")
    return replace(ready, origin="built")


def _named(wanted: PlannedImage, inner: ReadyImage, tree: SourceTree) -> tuple[Rendered, str, str]:
    rendered = render_debug(wanted.entry, wanted.platform, tree=tree)
    identity = identity_of(rendered.recipe, inner.image_id)
    return rendered, identity, f"mlperf-docker/{wanted.entry}:debug-{identity[:12]}"
