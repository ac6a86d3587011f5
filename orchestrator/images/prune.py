"""Remove images of ours that nothing needs any more, found by label. Spares what is in use; forces nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestrator.domain.image import ImageEntry
from orchestrator.host.docker_api import engine_errors
from orchestrator.images.held import ENTRY_LABEL, RECIPE_LABEL

if TYPE_CHECKING:
    import docker

STAGE_LABEL = "mlperf-docker.stage"
_ROUND_LABEL = "mlperf-docker.round"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An image that can go: the names to take from it (none: it has none), why, and its size with shared layers."""

    image_id: str
    names: tuple[str, ...]
    reason: str
    size_bytes: int

    @property
    def shown(self) -> str:
        """Its names, or its short id."""
        return ", ".join(self.names) or self.image_id[7:19]


def leftovers(
    client: docker.DockerClient,
    entries: Mapping[str, ImageEntry],
    current: Callable[[str, str], str | None],
    *,
    stages: bool = True,
) -> tuple[Leftover, ...]:
    """What can go, of these entries alone. `current` gives an entry's recipe for a round (None: it has none).

    Old are tags whose recipe is not the round's present one, and untagged images of ours; `stages` adds the layers of
    thrown-away build stages, which also serve the classic builder as its cache.
    """
    with engine_errors("list images"):
        used = {str(one["ImageID"]) for one in client.api.containers(all=True)}
        ours = client.api.images(filters={"label": ENTRY_LABEL})
        layers = client.api.images(filters={"dangling": True, "label": STAGE_LABEL}) if stages else []
    found = {one.image_id: one for one in _old(ours, entries, current)}
    for image in layers:
        reason = "layers of a build stage"
        found.setdefault(str(image["Id"]), _leftover(image, (), reason))
    return tuple(one for one in found.values() if one.image_id not in used)


def remove(client: docker.DockerClient, leftover: Leftover) -> str | None:
    """Remove it; or why the engine keeps it (another image or a container needs it)."""
    from docker.errors import APIError, ImageNotFound

    for name in leftover.names or (leftover.image_id,):
        try:
            client.api.remove_image(name)
        except ImageNotFound:
            continue
        except APIError as error:
            return f"{error.explanation or error}"
    return None


def _old(
    images: list[dict[str, Any]], entries: Mapping[str, ImageEntry], current: Callable[[str, str], str | None]
) -> Iterator[Leftover]:
    for image in images:
        labels = image.get("Labels") or {}
        if labels.get(ENTRY_LABEL) not in entries or STAGE_LABEL in labels:
            continue
        names = tuple(sorted(name for name in image.get("RepoTags") or () if not name.startswith("<none>")))
        recipe = current(labels[ENTRY_LABEL], str(labels.get(_ROUND_LABEL, "any")))
        if not names:
            yield _leftover(image, (), "replaced under its name")
        elif recipe is not None and labels.get(RECIPE_LABEL) != recipe:
            yield _leftover(image, names, f"made from another recipe than this version's {recipe[:12]}")


def _leftover(image: Mapping[str, Any], names: tuple[str, ...], reason: str) -> Leftover:
    return Leftover(image_id=str(image["Id"]), names=names, reason=reason, size_bytes=int(image.get("Size") or 0))
