"""Images as values: references, catalogue entries, what a plan wants and what an engine then holds. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass

from orchestrator.domain.terms import Evidence, Pull
from orchestrator.errors import UsageError

_REFERENCE = re.compile(
    r"^(?P<name>[a-z0-9]+(?:[._-][a-z0-9]+)*(?::\d+)?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?$"
)
_ID = re.compile(r"^sha256:[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class ImageRef:
    """A parsed image reference, `name[:tag][@digest]`; or an engine's own id as `digest` with an empty name."""

    name: str
    tag: str | None = None
    digest: str | None = None

    @classmethod
    def parse(cls, text: str) -> ImageRef:
        """Read a reference; UsageError names what is wrong with it."""
        if _ID.match(text):
            return cls("", None, text)
        match = _REFERENCE.match(text)
        if match is None:
            raise UsageError(
                f"'{text}' is not an image reference",
                hint="write NAME[:TAG][@sha256:…], for example registry.example/mlperf-docker/generic:v6.1",
            )
        return cls(match["name"], match["tag"], match["digest"])

    def __str__(self) -> str:
        if not self.name:
            return self.digest or ""
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """Where an image starts: a registry reference (digest-pinned where known) and the name of a local equivalent.

    `local` is what `scripts/engine` makes from the distribution's packages where no registry is reachable.
    """

    registry: str
    local: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """One entry of images.yaml. `context` maps paths in the build context to folders or files of the source tree."""

    name: str
    template: str
    base: BaseImage
    description: str
    context: tuple[tuple[str, str], ...] = ()
    requirements: str | None = None  # pattern with {round} and {architecture}
    arguments: tuple[tuple[str, str], ...] = ()
    prebuilt: str | None = None
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    user_supplies: tuple[str, ...] = ()
    needs_buildkit: bool = False
    pushable: bool = True
    evidence: Evidence = Evidence.PUBLISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChoice:
    """What the user said about the image; all unset means: pull the prebuilt one, else build."""

    reference: ImageRef | None = None
    pull: Pull = Pull.MISSING
    rebuild: bool = False
    base: ImageRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """The image a plan wants: catalogue entry by name, round and platform, and the hash of its rendered recipe.

    `recipe` (64 hex digits) covers rendered text and build context, not the base: that is resolved, and recorded, when
    the image is ensured. `debug` adds the layer with gdb and strace (never submittable).
    """

    entry: str
    round: str
    platform: str
    recipe: str
    choice: ImageChoice = ImageChoice()
    debug: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyImage:
    """An image the engine holds. `image_id` is the config digest (`sha256:…`); a manifest digest exists only after a
    push or pull. `identity` is the hash over recipe and base. `origin`: built, pulled, present or environment.
    For the native engine `image_id` is `env:<hash>` and `handle` the environment's folder; else `handle` is the id."""

    handle: str
    image_id: str
    reference: str
    identity: str
    platform: str
    origin: str
    base_id: str | None = None
    base_origin: str | None = None
    manifest_digest: str | None = None
    size_bytes: int | None = None
    base_size_bytes: int | None = None
    warnings: tuple[str, ...] = ()
