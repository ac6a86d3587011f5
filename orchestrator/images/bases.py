"""What an image stands on: the entry's base for round and architecture, the user's, a mirror's. Pulls, never builds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from orchestrator.domain.image import NO_CHOICE, BaseImage, ImageChoice, ImageEntry, ImageRef, PlannedImage
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.images.held import Base, Held, found_base, look
from orchestrator.images.places import Places, architecture
from orchestrator.images.registry_faults import AccessDeniedError

if TYPE_CHECKING:
    import docker

_REMEDY = "run scripts/engine: it makes a base image, also without a registry; or name one with --base-image"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseNames:
    """By which names a base may be held (the best first), and what to pull when it is not; `login`: which account."""

    candidates: tuple[str, ...]
    named: ImageRef
    fetched: ImageRef
    login: str | None = None

    def origin(self, reference: str) -> str:
        """What a record says of a base that is held under one of the names."""
        if reference == str(self.fetched) != str(self.named):
            return f"{self.named} (by the mirror {self.fetched.name.partition('/')[0]})"
        return reference


def base_reference(entry: ImageEntry, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
    """The base that an image is to stand on, for showing. ImageError when there is none for round and platform."""
    return str(base_names(entry, round_name, platform, choice, Places()).named)


def base_names(entry: ImageEntry, round_name: str, platform: str, choice: ImageChoice, places: Places) -> BaseNames:
    """The names of the base: the user's `--base-image`, else the entry's for this round and architecture.

    ImageError lists those there are when none fits; nothing has been asked of any registry then.
    """
    if choice.base is not None:
        mirrored = places.mirrored(choice.base)
        return BaseNames(candidates=_unique(str(choice.base), str(mirrored)), named=choice.base, fetched=mirrored)
    base = entry.base_for(round_name, architecture(platform))
    if base is None:
        raise _no_base(entry, round_name, platform)
    named = ImageRef.parse(base.registry)
    if base.digest is not None:
        named = replace(named, digest=base.digest)
    mirrored = places.mirrored(named)
    local = (base.local,) if base.local else ()
    return BaseNames(
        candidates=_unique(str(named), str(mirrored), *local), named=named, fetched=mirrored, login=base.login
    )


def held_base(client: docker.DockerClient, names: BaseNames, platform: str) -> Base | None:
    """The first of the names that the engine holds; ImageError when that image is for another platform."""
    for name in names.candidates:
        image = look(client, name)
        if image is not None:
            return _as_base(names, name, image, platform)
    return None


def fetched_base(
    client: docker.DockerClient, wanted: PlannedImage, names: BaseNames, *, places: Places, log: Output, say: Say
) -> Base:
    """The base out of its registry, or that registry's mirror; ImageError with the remedy when it cannot be had."""
    from orchestrator.images.pull import pull

    if wanted.choice.pull is Pull.NEVER:
        raise ImageError(f"the engine has no base image {names.named}, and pulling is off", hint=_REMEDY)
    if names.fetched != names.named:
        say(f"asking the mirror {names.fetched.name.partition('/')[0]} for {names.named}")
    try:
        pull(client, names.fetched, wanted.platform, log=log, say=say, stall_s=places.stall_s)
    except AccessDeniedError as error:
        account = f"; it wants {names.login}" if names.login else ""
        raise AccessDeniedError(
            f"there is no base image for '{wanted.entry}': {error.cause}{account}", hint=error.hint
        ) from error
    except ImageError as error:
        raise ImageError(f"there is no base image for '{wanted.entry}': {error.cause}", hint=_REMEDY) from error
    image = look(client, str(names.fetched))
    if image is None:
        raise ImageError(
            f"{names.fetched} was pulled, but the engine does not have it", hint="look at the engine's log"
        )
    return _as_base(names, str(names.fetched), image, wanted.platform)


def _as_base(names: BaseNames, reference: str, image: Held, platform: str) -> Base:
    found = found_base(reference, image, platform)
    return replace(found, origin=names.origin(reference)) if reference == str(names.fetched) else found


def _no_base(entry: ImageEntry, round_name: str, platform: str) -> ImageError:
    known = "; ".join(_shown(base) for base in entry.bases or ((entry.base,) if entry.base else ()))
    return ImageError(
        f"image '{entry.name}' has no base for round {round_name} on {platform}",
        hint=f"bases it has: {known or 'none'}; name another with --base-image",
    )


def _shown(base: BaseImage) -> str:
    rounds, machines = ", ".join(base.rounds) or "any round", ", ".join(base.architectures) or "any architecture"
    return f"{base.registry} ({rounds}; {machines})"


def _unique(*names: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
