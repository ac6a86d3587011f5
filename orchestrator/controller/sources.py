"""Editable clones of what images are built from: which there are, at which revision of a round, how runs keep them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.config.catalog import load_round
from orchestrator.config.images import image_entries
from orchestrator.config.settings import Settings
from orchestrator.controller.rundir import RunDir
from orchestrator.domain.benchmark import Round
from orchestrator.domain.image import ImageEntry, SourceRepository
from orchestrator.domain.plan import RunPlan
from orchestrator.domain.ports import Output
from orchestrator.domain.redact import redact, secrets_of
from orchestrator.domain.suggest import unknown
from orchestrator.errors import UsageError
from orchestrator.host.files import write_atomic

_LOADGEN, _LOADGEN_IS_IN = "loadgen", "inference"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """A repository at a revision, and the images of a round that are built from it there.

    `revision` null: none is known for the round. `submodules`: of all those images.
    """

    name: str
    url: str
    revision: str | None
    images: tuple[str, ...]
    submodules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedOut:
    """A clone that was made."""

    name: str
    folder: Path
    url: str
    revision: str
    commit: str


def offered(round_name: str | None) -> tuple[Offered, ...]:
    """Every repository that an image of the round is built from, by name."""
    wanted = load_round(round_name)
    found: dict[tuple[str, str, str | None], Offered] = {}
    for entry, source in _pairs(wanted):
        key = (source.name, source.url, _revision(source, wanted))
        before = found.get(key) or Offered(name=key[0], url=key[1], revision=key[2], images=())
        found[key] = replace(
            before,
            images=(*before.images, entry.name),
            submodules=tuple(dict.fromkeys((*before.submodules, *source.submodules))),
        )
    # the one that most images take stands first
    return tuple(sorted(found.values(), key=lambda one: (one.name, -len(one.images), one.revision or "")))


def check_out(
    name: str,
    folder: Path,
    settings: Settings,
    *,
    revision: str | None,
    image: str | None,
    upstream: str | None,
    output: Output,
    live: bool = False,
) -> CheckedOut:
    """An editable clone at the round's revision, or at `revision`. UsageError where that is not one thing."""
    from orchestrator.images.checkout import checkout, refuse_used

    refuse_used(folder)
    one = _chosen(name, settings, image, revision)
    at = revision or one.revision
    if at is None:
        raise UsageError(
            f"no revision of '{one.name}' is known to be round {load_round(settings.round).name}'s",
            hint="name one with --revision",
        )
    source = SourceRepository(name=one.name, url=one.url, submodules=one.submodules if image is not None else ())
    commit = checkout(
        source,
        at,
        folder.absolute(),
        upstream=upstream,
        environment=_environment(settings),
        output=output,
        live=live,
    )
    return CheckedOut(name=one.name, folder=folder.absolute(), url=one.url, revision=at, commit=commit)


def record_sources(directory: RunDir, plan: RunPlan) -> tuple[str, ...]:
    """Write `source-NAME.diff` for every clone of the user's that goes into the run's images; the names of the files.

    What differs from the round's revision, where the clone knows that, else from its own commit. No secrets.
    """
    from orchestrator.images.source_diff import difference

    wanted, entries = load_round(plan.spec.round), image_entries()
    texts: dict[str, bytes] = {}
    for image in (plan.image, *plan.other_images):
        given = dict(image.choice.sources)
        for source in entries[image.entry].sources if image.entry in entries else ():
            if source.name in given:
                text = difference(source, _revision(source, wanted), given[source.name], image=image.entry)
                texts[source.name] = texts.get(source.name, b"") + text
    for name, text in texts.items():
        write_atomic(directory.path / f"source-{name}.diff", redact(text, secrets_of(os.environ)))
    return tuple(f"source-{name}.diff" for name in texts)


def _chosen(name: str, settings: Settings, image: str | None, revision: str | None) -> Offered:
    entries = image_entries()
    if image is not None and image not in entries:
        raise unknown("image", image, entries)
    wanted = _LOADGEN_IS_IN if name == _LOADGEN else name
    everything = offered(settings.round)
    found = [one for one in everything if one.name == wanted and (image is None or image in one.images)]
    if not found:
        raise unknown("source", name, (*dict.fromkeys(one.name for one in everything), _LOADGEN))
    own = load_round(settings.round)
    rounds_own = [one for one in found if one.revision is not None and one.revision in {own.commit, own.tag}]
    if rounds_own:
        return rounds_own[0]
    places = {(one.url, None if revision else one.revision) for one in found}
    if len(places) > 1:
        shown = "; ".join(f"{one.url} at {one.revision} for {', '.join(one.images)}" for one in found)
        raise UsageError(f"'{name}' is several things in round {own.name}: {shown}", hint="choose with --image ENTRY")
    return found[0]


def _pairs(wanted: Round) -> Iterator[tuple[ImageEntry, SourceRepository]]:
    for entry in image_entries().values():
        if not entry.rounds or wanted.name in entry.rounds:
            for source in entry.sources:
                yield entry, source


def _revision(source: SourceRepository, wanted: Round) -> str | None:
    from orchestrator.images.sources import revision_of

    return revision_of(source, wanted)


def _environment(settings: Settings) -> dict[str, str]:
    """The user's network settings, as git goes by them."""
    proxies = {
        "http_proxy": settings.http_proxy,
        "https_proxy": settings.https_proxy,
        "no_proxy": settings.no_proxy,
        "GIT_SSL_CAINFO": str(settings.ca_bundle) if settings.ca_bundle else None,
    }
    return {name: value for name, value in proxies.items() if value}
