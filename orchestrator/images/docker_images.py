"""Images of a Docker-compatible engine: present, pulled or built, by identity. Runs no container.

An image's identity is the hash over its recipe and the id of the base it stands on; its tag carries the identity, so
that looking for the tag is looking for the content.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageEntry, ImageRef, PlannedImage, ReadyImage
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.site import Site
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.docker_api import connect
from orchestrator.host.files import lock
from orchestrator.host.retry import transient
from orchestrator.images.context import SourceTree
from orchestrator.images.held import RECIPE_LABEL, Base, Held, chosen, found_base, identity_of, labels_of, look
from orchestrator.images.render import Rendered, render, render_debug

if TYPE_CHECKING:
    import docker

_REPOSITORY = "mlperf-docker"


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
    ) -> None:
        self._entries = entries
        self._url = url
        self._site = site
        self._cache = cache
        self._tree = tree or SourceTree.installed()
        self._rendered: dict[tuple[str, str, str], Rendered] = {}
        self._connection: docker.DockerClient | None = None

    def rendered(self, entry: str, *, round_name: str, platform: str) -> Rendered:
        """The recipe of an entry; UsageError for an unknown name, ImageError when it cannot be rendered."""
        if entry not in self._entries:
            raise unknown("image", entry, self._entries)
        key = (entry, round_name, platform)
        if key not in self._rendered:
            self._rendered[key] = render(self._entries[entry], round_name, platform, tree=self._tree)
        return self._rendered[key]

    def plan(self, entry: str, *, round_name: str, platform: str) -> str:
        """The recipe hash (64 hex digits) of an entry."""
        return self.rendered(entry, round_name=round_name, platform=platform).recipe

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        """The image if the engine holds exactly this one; builds and pulls nothing."""
        with self._connected():
            reference = wanted.choice.reference
            if reference is not None:
                image = self._held(str(reference))
                ready = chosen(wanted, reference, image, "present") if image else None
            else:
                base = self._local_base(wanted)
                ready = self._tagged(wanted, base) if base else None
            return self._debugged(wanted, ready) if ready and wanted.debug else ready

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        """Have the image: the one the user chose, else the one that is here, else a prebuilt one, else a new build."""
        with self._connected():
            if wanted.choice.reference is not None:
                ready = self._choose(wanted, wanted.choice.reference, log=log, say=say)
            else:
                ready = self._ensure_entry(wanted, log=log, say=say)
            return self._ensure_debug(wanted, ready, log=log, say=say) if wanted.debug else ready

    def _choose(self, wanted: PlannedImage, reference: ImageRef, *, log: Output, say: Say) -> ReadyImage:
        from orchestrator.images.pull import pull

        image, origin = self._held(str(reference)), "present"
        policy = wanted.choice.pull
        if policy is Pull.NEVER and image is None:
            raise ImageError(
                f"the engine has no image {reference}, and pulling is off",
                hint="check the name, or use --pull missing",
            )
        if policy is Pull.ALWAYS or image is None:
            pull(self._client, reference, wanted.platform, log=log, say=say)
            image, origin = self._held(str(reference)), "pulled"
        if image is None:
            raise ImageError(
                f"{reference} was pulled, but the engine does not have it", hint="look at the engine's log"
            )
        return chosen(wanted, reference, image, origin)

    def _ensure_entry(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        rendered = self.rendered(wanted.entry, round_name=wanted.round, platform=wanted.platform)
        if rendered.recipe != wanted.recipe:
            raise ImageError(
                f"the recipe of image '{wanted.entry}' is not the one that was planned "
                f"({rendered.recipe[:12]} instead of {wanted.recipe[:12]})",
                hint="mlperf-docker was changed since; plan the run anew",
            )
        base = self._local_base(wanted)
        if base is not None and not wanted.choice.rebuild:
            ready = self._tagged(wanted, base)
            if ready is not None:
                return ready
        prebuilt = self._prebuilt(wanted, log=log, say=say)
        if prebuilt is not None:
            return prebuilt
        base = base or self._pulled_base(wanted, log=log, say=say)
        return self._build(wanted, rendered, base, log=log, say=say)

    def _build(self, wanted: PlannedImage, rendered: Rendered, base: Base, *, log: Output, say: Say) -> ReadyImage:
        from orchestrator.images.build import BuildRequest, choose_builder

        identity, tag = identity_of(rendered.recipe, base.image.id), _tag(wanted, rendered, base)
        entry = self._entries[wanted.entry]
        builder = choose_builder(self._client, self._url, needs_buildkit=entry.needs_buildkit, entry=entry.name)
        request = BuildRequest(
            rendered=rendered,
            base=base.reference,
            tag=tag,
            labels=labels_of(rendered, identity, base),
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
        rendered = self.rendered(wanted.entry, round_name=wanted.round, platform=wanted.platform)
        tag = _tag(wanted, rendered, base)
        image = self._held(tag)
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

    def _prebuilt(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage | None:
        """The published image of this very recipe, or None with a line that says why it is built instead."""
        from orchestrator.images.pull import pull

        published = self._entries[wanted.entry].prebuilt
        choice = wanted.choice
        if published is None or choice.pull is Pull.NEVER or choice.rebuild or choice.base is not None:
            return None
        reference = ImageRef.parse(published.replace("{round}", wanted.round))
        try:
            pull(self._client, reference, wanted.platform, log=log, say=say, attempts=2)
        except ImageError as error:
            say(f"{error.cause}; building it instead")
            return None
        image = self._held(str(reference))
        if image is None or image.labels.get(RECIPE_LABEL) != wanted.recipe:
            say(f"{reference} was made from another recipe; building this one instead")
            return None
        return chosen(wanted, reference, image, "pulled")

    # -- bases

    def _local_base(self, wanted: PlannedImage) -> Base | None:
        """The base among what the engine holds: the user's, the registry's, the local equivalent, in this order."""
        if wanted.choice.base is not None:
            return self._base(str(wanted.choice.base), wanted.platform)
        entry = self._entry(wanted)
        candidates = [_pinned(entry), *([entry.base.local] if entry.base.local else [])]
        return next((base for name in candidates if (base := self._base(name, wanted.platform))), None)

    def _pulled_base(self, wanted: PlannedImage, *, log: Output, say: Say) -> Base:
        from orchestrator.images.pull import pull

        entry = self._entry(wanted)
        name = str(wanted.choice.base) if wanted.choice.base is not None else _pinned(entry)
        remedy = "run scripts/engine: it makes a base image, also without a registry; or name one with --base-image"
        if wanted.choice.pull is Pull.NEVER:
            raise ImageError(f"the engine has no base image {name}, and pulling is off", hint=remedy)
        try:
            pull(self._client, ImageRef.parse(name), wanted.platform, log=log, say=say)
        except ImageError as error:
            raise ImageError(f"there is no base image for '{entry.name}': {error.cause}", hint=remedy) from error
        base = self._base(name, wanted.platform)
        if base is None:
            raise ImageError(f"{name} was pulled, but the engine does not have it", hint="look at the engine's log")
        return base

    def _base(self, name: str, platform: str) -> Base | None:
        image = self._held(name)
        return found_base(name, image, platform) if image else None

    def _entry(self, wanted: PlannedImage) -> ImageEntry:
        if wanted.entry not in self._entries:
            raise unknown("image", wanted.entry, self._entries)
        return self._entries[wanted.entry]

    # -- the debug layer

    def _debugged(self, wanted: PlannedImage, inner: ReadyImage) -> ReadyImage | None:
        rendered = render_debug(wanted.entry, wanted.platform, tree=self._tree)
        identity = identity_of(rendered.recipe, inner.image_id)
        tag = f"{_REPOSITORY}/{wanted.entry}:debug-{identity[:12]}"
        image = self._held(tag)
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

    def _ensure_debug(self, wanted: PlannedImage, inner: ReadyImage, *, log: Output, say: Say) -> ReadyImage:
        from orchestrator.images.build import BuildRequest, choose_builder

        ready = self._debugged(wanted, inner)
        if ready is not None:
            return ready
        rendered = render_debug(wanted.entry, wanted.platform, tree=self._tree)
        identity = identity_of(rendered.recipe, inner.image_id)
        request = BuildRequest(
            rendered=rendered,
            base=inner.reference,
            tag=f"{_REPOSITORY}/{wanted.entry}:debug-{identity[:12]}",
            labels={"mlperf-docker.debug": "true"},
            site=self._site,
        )
        say(f"adding gdb and strace to {inner.reference}")
        builder = choose_builder(self._client, self._url, needs_buildkit=False, entry=wanted.entry)
        with lock(self._cache / "locks" / f"image-{identity[:12]}.lock"):
            transient(lambda: builder.build(request, log=log), say=say, attempts=3)
        ready = self._debugged(wanted, inner)
        if ready is None:
            raise ImageError(f"{request.tag} was built, but the engine does not have it", hint="look at its log")
        return replace(ready, origin="built")

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

    def _held(self, name: str) -> Held | None:
        return look(self._client, name)


def _tag(wanted: PlannedImage, rendered: Rendered, base: Base) -> str:
    identity = identity_of(rendered.recipe, base.image.id)
    return f"{_REPOSITORY}/{wanted.entry}:{rendered.round or 'any'}-{identity[:12]}"


def _pinned(entry: ImageEntry) -> str:
    return f"{entry.base.registry}@{entry.base.digest}" if entry.base.digest else entry.base.registry
