"""Images as values: references, catalogue entries, what a plan wants and what an engine then holds. No I/O."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from orchestrator.domain.terms import Evidence, Pull
from orchestrator.errors import UsageError

_REFERENCE = re.compile(
    r"^(?P<name>[a-z0-9]+(?:[._-][a-z0-9]+)*(?::\d+(?=/))?(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)"
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
    `rounds` and `architectures` (amd64, arm64) say for which it serves (none: all). `login` says which account its
    registry wants; `evidence` how far the reference was tried.
    """

    registry: str
    local: str | None = None
    digest: str | None = None
    rounds: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    login: str | None = None
    evidence: Evidence = Evidence.PUBLISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRepository:
    """A repository that a recipe is built from: cloned at `ref` while building, or given with `--source NAME=DIR`.

    `{round}` in `ref` is filled in; without `ref` the round's own commit is taken. `paths` are the parts that are
    needed (none: all), `submodules` those to be fetched with it.
    """

    name: str
    url: str
    ref: str | None = None
    paths: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageEntry:
    """One entry of images.yaml. `context` maps paths in the build context to folders or files of the source tree.

    Either `base`, or `bases` by round and architecture: the first that fits is taken. `sdks` name archives that only
    the user can bring (`--sdk NAME=FILE`): they reach a stage that is thrown away, and the image is not pushable.
    `rehearsal`: stands in for a vendor's image, and says so wherever it is named. `size_bytes`: of one that was made
    (null: unknown), for telling beforehand whether it will fit.
    """

    name: str
    template: str
    base: BaseImage | None = None
    bases: tuple[BaseImage, ...] = ()
    sources: tuple[SourceRepository, ...] = ()
    sdks: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    rehearsal: bool = False
    rounds: tuple[str, ...] = ()
    description: str
    context: tuple[tuple[str, str], ...] = ()
    requirements: str | None = None  # pattern with {round} and {architecture}
    arguments: tuple[tuple[str, str], ...] = ()
    prebuilt: str | None = None
    platforms: tuple[str, ...] = ("linux/amd64", "linux/arm64")
    user_supplies: tuple[str, ...] = ()
    needs_buildkit: bool = False
    pushable: bool = True
    size_bytes: int | None = None
    evidence: Evidence = Evidence.PUBLISHED

    def base_for(self, round_name: str, architecture: str) -> BaseImage | None:
        """The base for a round and an architecture (amd64, arm64), or None when the entry has none for them."""
        for base in self.bases or ((self.base,) if self.base is not None else ()):
            if (not base.rounds or round_name in base.rounds) and (
                not base.architectures or architecture in base.architectures
            ):
                return base
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageChoice:
    """What the user said about the image; all unset means: pull the prebuilt one, else build."""

    reference: ImageRef | None = None
    pull: Pull = Pull.MISSING
    rebuild: bool = False
    base: ImageRef | None = None
    sources: tuple[tuple[str, Path], ...] = ()
    sdks: tuple[tuple[str, Path], ...] = ()


NO_CHOICE = ImageChoice()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What an image would be made of: its hash, what must be named before it can be made (cause, remedy), the revision
    of each source, and why a run of it could not be submitted as closed."""

    hash: str
    missing: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str], ...] = ()
    blockers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedImage:
    """The image a plan wants: catalogue entry by name, round and platform, and the hash of its rendered recipe.

    `recipe` (64 hex digits) covers rendered text and build context, not the base: that is resolved, and recorded, when
    the image is ensured; `base` is the reference it is to stand on, for showing. `debug` adds the layer with gdb and
    strace (never submittable).
    """

    entry: str
    round: str
    platform: str
    recipe: str
    base: str | None = None
    choice: ImageChoice = ImageChoice()
    sources: tuple[tuple[str, str], ...] = ()
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
