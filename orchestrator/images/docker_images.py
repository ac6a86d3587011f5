"""Images of a Docker-compatible engine: present, pulled or built, by identity. Runs no container.

An image's identity is the hash over its recipe and the id of the base it stands on; its tag carries the identity, so
that looking for the tag is looking for the content. A published image is looked for by its recipe.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.image import (
    NO_CHOICE,
    ImageChoice,
    ImageEntry,
    ImageRef,
    PlannedImage,
    ReadyImage,
    Recipe,
)
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.site import Site
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.docker_api import connect
from orchestrator.host.files import lock
from orchestrator.host.retry import transient
from orchestrator.images import debug_layer
from orchestrator.images.bases import base_names, fetched_base, held_base
from orchestrator.images.context import SourceTree
from orchestrator.images.held import RECIPE_LABEL, Base, chosen, identity_of, labels_of, look
from orchestrator.images.places import Places
from orchestrator.images.registry_faults import TamperedImageError
from orchestrator.images.render import Rendered, render

if TYPE_CHECKING:
    import docker

    from orchestrator.images.bases import BaseNames
    from orchestrator.images.prebuilt import Published

_REPOSITORY = "mlperf-docker"
_NOT_BUILDING = "let it be built (leave out --pull only), or publish it: scripts/publish-images"


class DockerImages:
    """Implements `ports.Images` for an engine that speaks Docker's API. Contacts it only when asked for an image."""

    def __init__(
        self,
        entries: Mapping[str, ImageEntry],
        *,
        url: str | None = None,
        site: Site,
        cache: Path,
        tree: SourceTree | None = None,
        places: Places | None = None,
    ) -> None:
        self._entries = entries
        self._url = url
        self._site = site
        self._cache = cache
        self._tree = tree or SourceTree.installed()
        self._places = places or Places()
        self._rendered: dict[tuple[object, ...], Rendered] = {}
        self._connection: docker.DockerClient | None = None
        self._said: set[str] = set()

    def rendered(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Rendered:
        """The recipe of an entry; UsageError for an unknown name, ImageError when it cannot be rendered."""
        if entry not in self._entries:
            raise unknown("image", entry, self._entries)
        key = (entry, round_name, platform, choice.sources, choice.sdks)
        if key not in self._rendered:
            self._rendered[key] = render(self._entries[entry], round_name, platform, choice=choice, tree=self._tree)
        return self._rendered[key]

    def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:
        """The recipe hash (64 hex digits) of an entry."""
        return self.rendered(entry, round_name=round_name, platform=platform, choice=choice).recipe

    def recipe(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Recipe:
        """The recipe of an entry with what is missing, its sources' revisions, and what blocks a submission."""
        found = self.rendered(entry, round_name=round_name, platform=platform, choice=choice)
        return Recipe(
            hash=found.recipe,
            missing=found.missing,
            sources=tuple((source.name, source.described) for source in found.sources),
            blockers=found.blockers,
        )

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        """The image if the engine holds exactly this one; builds and pulls nothing."""
        with self._connected():
            reference = wanted.choice.reference
            if reference is not None:
                image = look(self._client, str(reference))
                ready = chosen(wanted, reference, image, "present") if image else None
            else:
                ready = self._present_entry(wanted)
            return debug_layer.present(self._client, wanted, ready, self._tree) if ready and wanted.debug else ready

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        """Have the image: the one the user chose, else the one that is here, else a prebuilt one, else a new build."""
        with self._connected():
            if wanted.choice.reference is not None:
                ready = self._choose(wanted, wanted.choice.reference, log=log, say=say)
            else:
                ready = self._ensure_entry(wanted, log=log, say=say)
            if not wanted.debug:
                return ready
            place = debug_layer.Place(
                client=self._client, url=self._url, tree=self._tree, site=self._site, locks=self._cache / "locks"
            )
            return debug_layer.ensure(place, wanted, ready, log=log, say=say)

    def _choose(self, wanted: PlannedImage, reference: ImageRef, *, log: Output, say: Say) -> ReadyImage:
        from orchestrator.images.pull import pull

        image, origin = look(self._client, str(reference)), "present"
        policy = wanted.choice.pull
        if policy is Pull.NEVER and image is None:
            raise ImageError(
                f"the engine has no image {reference}, and pulling is off",
                hint="check the name, or use --pull missing",
            )
        if policy is Pull.ALWAYS or image is None:
            pull(self._client, reference, wanted.platform, log=log, say=say, stall_s=self._places.stall_s)
            image, origin = look(self._client, str(reference)), "pulled"
        if image is None:
            raise ImageError(
                f"{reference} was pulled, but the engine does not have it", hint="look at the engine's log"
            )
        return chosen(wanted, reference, image, origin)

    # -- an entry's image: built here, or published

    def _present_entry(self, wanted: PlannedImage) -> ReadyImage | None:
        where = self._published(wanted)
        prebuilt = self._held_prebuilt(where, wanted)
        if where is not None and where.pin is not None and prebuilt is not None:
            return prebuilt
        base = self._held_base(wanted, may_lack=True)
        return (self._tagged(wanted, base) if base else None) or prebuilt

    def _ensure_entry(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        rendered = self._recipe(wanted)
        if rendered.recipe != wanted.recipe:
            raise ImageError(
                f"the recipe of image '{wanted.entry}' is not the one that was planned "
                f"({rendered.recipe[:12]} instead of {wanted.recipe[:12]})",
                hint="mlperf-docker was changed since; plan the run anew",
            )
        choice = wanted.choice
        held = None if choice.rebuild else self._present_entry(wanted)
        where = None if choice.rebuild else self._published(wanted)
        pin = where.pin if where is not None else None
        if held is not None and choice.pull is not Pull.ALWAYS and (pin is None or held.image_id == pin.config_digest):
            return held
        if where is not None and where.outdated:
            self._say_once(
                say, f"{self._places.lock_file} pins an image of another recipe of '{wanted.entry}'; lock anew"
            )
        otherwise = f"using {held.reference}, which was made here," if held else "building it"
        found = self._fetched(wanted, where, otherwise, log=log, say=say) or held
        if found is not None:
            return found
        if choice.pull is Pull.ONLY:
            raise ImageError(f"image '{wanted.entry}' is not here, and building is forbidden", hint=_NOT_BUILDING)
        rendered.require()
        base = self._held_base(wanted) or fetched_base(
            self._client, wanted, self._base_names(wanted), places=self._places, log=log, say=say
        )
        return self._build(wanted, rendered, base, log=log, say=say)

    def _fetched(
        self, wanted: PlannedImage, where: Published | None, otherwise: str, *, log: Output, say: Say
    ) -> ReadyImage | None:
        """The published image; or None and a line that says why not, and what is done `otherwise`."""
        from orchestrator.images.prebuilt import fetch_prebuilt

        only = wanted.choice.pull is Pull.ONLY
        if where is None:
            reason = self._why_unpublished(wanted)
            if only:
                raise ImageError(f"image '{wanted.entry}' cannot be pulled: {reason}", hint=_NOT_BUILDING)
            self._say_once(say, f"{reason}: images are built here")
            return None
        if wanted.choice.pull is Pull.NEVER:
            if where.pin is not None:
                self._say_once(say, f"{where.said} is not here, and pulling is off; {otherwise} instead")
            return None
        try:
            return fetch_prebuilt(
                self._client,
                where,
                wanted,
                places=self._places,
                site=self._site,
                log=log,
                say=say,
                attempts=4 if only else 2,
            )
        except TamperedImageError:
            raise
        except ImageError as error:
            if only:
                raise
            say(f"{error.cause}; {otherwise} instead")
            return None

    def _why_unpublished(self, wanted: PlannedImage) -> str:
        choice = wanted.choice
        if choice.rebuild:
            return "--rebuild asks for a new one"
        if choice.base is not None:
            return "it stands on a base of yours (--base-image)"
        if choice.sources or choice.sdks:
            return "it is made from files of yours (--source, --sdk)"
        return "no registry is configured (setting 'registry')"

    def _build(self, wanted: PlannedImage, rendered: Rendered, base: Base, *, log: Output, say: Say) -> ReadyImage:
        from orchestrator.images.build import BuildRequest, choose_builder
        from orchestrator.images.revision import source_revision

        identity, tag = identity_of(rendered.recipe, base.image.id), _tag(wanted, rendered, base)
        entry = self._entries[wanted.entry]
        builder = choose_builder(self._client, self._url, needs_buildkit=entry.needs_buildkit, entry=entry.name)
        request = BuildRequest(
            rendered=rendered,
            base=base.reference,
            tag=tag,
            labels=labels_of(rendered, identity, base, revision=source_revision()),
            site=self._site,
            fresh=wanted.choice.rebuild,
        )
        lock_file = self._cache / "locks" / f"image-{identity[:12]}.lock"
        with lock(lock_file, waiting=lambda: say(f"another process builds {tag}; waiting for it")):
            ready = None if wanted.choice.rebuild else self._tagged(wanted, base)
            if ready is not None:
                return ready
            say(f"building {tag} ({builder.name}, on {base.origin})")
            transient(lambda: builder.build(request, log=log), say=say, attempts=3)
            ready = self._tagged(wanted, base)
        if ready is None:
            raise ImageError(f"{tag} was built, but the engine does not have it", hint="look at the engine's log")
        return replace(ready, origin="built")

    def _tagged(self, wanted: PlannedImage, base: Base) -> ReadyImage | None:
        rendered = self._recipe(wanted)
        tag = _tag(wanted, rendered, base)
        image = look(self._client, tag)
        if image is None or image.labels.get(RECIPE_LABEL) != rendered.recipe:
            return None
        return ReadyImage(
            handle=image.id,
            image_id=image.id,
            reference=tag,
            identity=identity_of(rendered.recipe, base.image.id),
            platform=image.platform,
            origin="present",
            base_id=base.image.id,
            base_origin=base.origin,
            size_bytes=image.size_bytes,
            base_size_bytes=base.image.size_bytes,
        )

    # -- where it comes from

    def _recipe(self, wanted: PlannedImage) -> Rendered:
        return self.rendered(wanted.entry, round_name=wanted.round, platform=wanted.platform, choice=wanted.choice)

    def _published(self, wanted: PlannedImage) -> Published | None:
        from orchestrator.images.prebuilt import published

        return published(self._entries[wanted.entry], wanted, self._recipe(wanted).round, self._places)

    def _held_prebuilt(self, where: Published | None, wanted: PlannedImage) -> ReadyImage | None:
        from orchestrator.images.prebuilt import held_prebuilt

        return held_prebuilt(self._client, where, wanted) if where is not None else None

    def _held_base(self, wanted: PlannedImage, *, may_lack: bool = False) -> Base | None:
        entry = self._entries[wanted.entry]
        architecture = wanted.platform.partition("/")[2]
        if may_lack and wanted.choice.base is None and entry.base_for(wanted.round, architecture) is None:
            return None
        return held_base(self._client, self._base_names(wanted), wanted.platform)

    def _base_names(self, wanted: PlannedImage) -> BaseNames:
        return base_names(self._entries[wanted.entry], wanted.round, wanted.platform, wanted.choice, self._places)

    def _say_once(self, say: Say, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            say(line)

    # -- the engine

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """One connection for one call from outside; none is left open after it."""
        self._connection = connect(self._url)
        try:
            yield
        finally:
            self._connection.close()
            self._connection = None

    @property
    def _client(self) -> docker.DockerClient:
        assert self._connection is not None  # noqa: S101 - every public method connects first
        return self._connection


def _tag(wanted: PlannedImage, rendered: Rendered, base: Base) -> str:
    identity = identity_of(rendered.recipe, base.image.id)
    return f"{_REPOSITORY}/{wanted.entry}:{rendered.round or 'any'}-{identity[:12]}"
