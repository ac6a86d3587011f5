"""Where images come from and go to: the registry of the configuration, its names, and mirrors of others. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain.image import ImageEntry, ImageRef
from orchestrator.images.registry_faults import registry_host

HUB = "docker.io"
STALL_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What the user's settings say about registries; all unset: images are built here, bases come as they are named.

    `registry` is a prefix such as `registry.example/mlperf-docker`. `lock_file` is images.lock, `key` a public key
    (PEM) that prebuilt images must be signed with. A registry that brings nothing on for `stall_s` seconds counts as
    stalled.
    """

    registry: str | None = None
    mirrors: tuple[tuple[str, str], ...] = ()
    lock_file: Path | None = None
    key: Path | None = None
    stall_s: float = STALL_S

    def repository(self, entry: ImageEntry) -> str | None:
        """The entry's repository in the configured registry."""
        return f"{self.registry.rstrip('/')}/{entry.name}" if self.registry else None

    def published(self, entry: ImageEntry, round_name: str | None, platform: str, recipe: str) -> ImageRef | None:
        """Where the image of a recipe stands: `<registry>/<entry>:<round>-<recipe, 12 digits>-<architecture>`.

        An entry's own `prebuilt` reference is taken when no registry is configured.
        """
        repository = self.repository(entry)
        if repository is not None:
            return ImageRef.parse(f"{repository}:{round_name or 'any'}-{recipe[:12]}-{architecture(platform)}")
        if entry.prebuilt is None:
            return None
        text = entry.prebuilt.replace("{round}", round_name or "any").replace("{recipe}", recipe[:12])
        return ImageRef.parse(text.replace("{architecture}", architecture(platform)))

    def mirrored(self, reference: ImageRef) -> ImageRef:
        """The reference at the mirror of its registry; itself where there is no mirror."""
        host = registry_host(reference) or HUB
        mirror = dict(self.mirrors).get(host)
        if mirror is None:
            return reference
        path = reference.name.removeprefix(f"{host}/")
        if host == HUB and "/" not in path:
            path = f"library/{path}"
        return replace(reference, name=f"{mirror.rstrip('/')}/{path}")


def architecture(platform: str) -> str:
    """`amd64` of `linux/amd64`."""
    return platform.partition("/")[2].partition("/")[0]
