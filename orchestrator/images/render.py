"""Turn an entry of images.yaml into a recipe: Dockerfile text and build context. Pure but for reading shipped files."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageChoice, ImageEntry
from orchestrator.errors import ImageError
from orchestrator.host.shipped import overlays
from orchestrator.images.context import ContextFile, SourceTree, digest
from orchestrator.images.sources import SOURCE_FOLDER, SourceState, source_states

if TYPE_CHECKING:
    import jinja2

    from orchestrator.domain.benchmark import Round

DOCKERFILE = "Dockerfile"
_REQUIREMENTS = "build/requirements.txt"
_TEMPLATES = "dockerfiles"
_SDKS = "sdk"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A recipe: the Dockerfile's text, the context files beside it, and the hash over both (64 hex digits).

    `round` is None when the entry is the same in every round. `sources` are the repositories it takes from, `missing`
    what must be named before it can be built: pairs of cause and remedy.
    """

    entry: str
    round: str | None
    platform: str
    text: str
    files: tuple[ContextFile, ...]
    recipe: str
    sources: tuple[SourceState, ...] = ()
    missing: tuple[tuple[str, str], ...] = ()

    @property
    def blockers(self) -> tuple[str, ...]:
        """Why runs of this image cannot be submitted as closed: sources that are not the round's own."""
        return tuple(source.blocker for source in self.sources if source.blocker is not None)

    def require(self) -> None:
        """ImageError for the first thing that is missing, with where to get it."""
        for cause, remedy in self.missing:
            raise ImageError(f"image '{self.entry}' cannot be built: {cause}", hint=remedy)

    @property
    def context(self) -> tuple[ContextFile, ...]:
        """All files that a builder needs, the Dockerfile among them; the site's files are added when it builds.

        ImageError when something is missing.
        """
        self.require()
        return (*self.files, ContextFile(path=DOCKERFILE, mode=0o644, content=self.text.encode()))


def render(
    entry: ImageEntry,
    round_name: str,
    platform: str,
    *,
    choice: ImageChoice | None = None,
    tree: SourceTree | None = None,
) -> Rendered:
    """The recipe of an entry for a round and a platform (`linux/amd64`). The same input gives the same bytes.

    Of `choice` its sources and SDK archives count; what is not given there and cannot be had otherwise is listed in
    `missing`. Raises ImageError: a platform or round that the entry does not serve, a missing file, a broken template.
    """
    tree, choice = tree or SourceTree.installed(), choice or ImageChoice()
    if platform not in entry.platforms:
        raise ImageError(
            f"image '{entry.name}' cannot be made for {platform}",
            hint=f"it exists for {', '.join(entry.platforms)}; use such a machine, or name an image with --image",
        )
    if entry.rounds and round_name not in entry.rounds:
        raise ImageError(
            f"image '{entry.name}' does not serve round {round_name}", hint=f"it serves {', '.join(entry.rounds)}"
        )
    round_or_none = round_name if _depends_on_round(entry) else None
    sources = source_states(entry, _round(round_name), choice.sources) if entry.sources else ()
    archives, missing = _archives(entry, choice)
    files = (*_files(entry, round_name, platform, tree), *archives, *(file for one in sources for file in one.files))
    text = _text(
        tree,
        entry.template,
        entry=entry.name,
        round=round_or_none,
        platform=platform,
        architecture=_architecture(platform),
        arguments=dict(entry.arguments),
        sources=[_source_variables(one) for one in sources],
        sdks=[_sdk_variables(name, archives) for name in sorted(entry.sdks)],
        rehearsal=entry.rehearsal,
    )
    return Rendered(
        entry=entry.name,
        round=round_or_none,
        platform=platform,
        text=text,
        files=tuple(sorted(files, key=lambda file: file.path)),
        recipe=digest(text, files),
        sources=sources,
        missing=(*_unpinned(sources, round_name), *missing),
    )


def render_debug(entry: str, platform: str, *, tree: SourceTree | None = None) -> Rendered:
    """The recipe of the layer with gdb and strace that goes over a built image of the entry."""
    tree = tree or SourceTree.installed()
    files = (
        *tree.collect("build/site.sh", "dockerfiles/_macros/site.sh"),
        *tree.collect("build/fetch.sh", "dockerfiles/debug/fetch.sh"),
    )
    text = _text(tree, "debug/Dockerfile.j2", entry=entry, platform=platform)
    return Rendered(entry=entry, round=None, platform=platform, text=text, files=files, recipe=digest(text, files))


def _round(name: str) -> Round | None:
    from orchestrator.config.catalog import load_round, rounds

    return load_round(name) if name in rounds() else None


def _unpinned(sources: tuple[SourceState, ...], round_name: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (
            f"the catalogue has no revision of '{one.name}' for round {round_name}",
            f"clone {one.url} at the revision of the round and give it: --source {one.name}=DIR",
        )
        for one in sources
        if one.commit is None
    )


def _archives(entry: ImageEntry, choice: ImageChoice) -> tuple[tuple[ContextFile, ...], tuple[tuple[str, str], ...]]:
    """The user's SDK archives as context files, and those that were not given."""
    given = dict(choice.sdks)
    found, missing = [], []
    for name, where in sorted(entry.sdks.items()):
        if name not in given:
            missing.append((f"it needs the SDK archive '{name}'", f"{where}; then give it: --sdk {name}=FILE"))
            continue
        path: Path = given[name]
        if not path.is_file():
            raise ImageError(f"--sdk {name}: there is no file {path}", hint=where)
        found.append(ContextFile(path=f"{_SDKS}/{name}/{path.name}", mode=0o644, origin=path.absolute()))
    return tuple(found), tuple(missing)


def _sdk_variables(name: str, archives: tuple[ContextFile, ...]) -> dict[str, str]:
    folder = f"{_SDKS}/{name}/"
    path = next((file.path for file in archives if file.path.startswith(folder)), folder)
    return {"name": name, "folder": folder, "path": path}


def _source_variables(source: SourceState) -> dict[str, object]:
    return {
        "name": source.name,
        "url": source.url,
        "revision": source.commit or "",
        "given": source.given,
        "folder": f"{SOURCE_FOLDER}/{source.name}/",
        "paths": list(source.paths),
        "submodules": list(source.submodules),
        "described": source.described,
    }


def _depends_on_round(entry: ImageEntry) -> bool:
    if any(source.ref is None or "{round}" in source.ref for source in entry.sources):
        return True
    patterns = (entry.requirements or "", *(source for _, source in entry.context))
    return any("{round}" in pattern for pattern in patterns)


def _files(entry: ImageEntry, round_name: str, platform: str, tree: SourceTree) -> tuple[ContextFile, ...]:
    found: list[ContextFile] = []
    if entry.requirements is not None:
        source = _filled(entry.requirements, round_name, platform)
        if not tree.find(source).is_file():
            raise _no_lock(entry, entry.requirements, round_name, platform, tree)
        found.extend(tree.collect(_REQUIREMENTS, source))
    for target, pattern in entry.context:
        found.extend(tree.collect(target, _filled(pattern, round_name, platform)))
    return tuple(sorted(found, key=lambda file: file.path))


def _no_lock(entry: ImageEntry, pattern: str, round_name: str, platform: str, tree: SourceTree) -> ImageError:
    start, _, end = _filled(pattern, "\0", platform).partition("\0")
    folder, prefix = tree.find(start).parent, PurePosixPath(start).name
    rounds = sorted(
        path.name.removeprefix(prefix).removesuffix(end)
        for path in folder.glob(f"{prefix}*{end}")
        if path.name.startswith(prefix)
    )
    return ImageError(
        f"image '{entry.name}' has no requirements for round {round_name} on {platform}",
        hint=f"rounds it has: {', '.join(rounds) or 'none'}; maintainers add one with scripts/lock-requirements",
    )


def _filled(pattern: str, round_name: str, platform: str) -> str:
    return pattern.replace("{round}", round_name).replace("{architecture}", _architecture(platform))


def _architecture(platform: str) -> str:
    return platform.split("/")[1]


def _text(
    tree: SourceTree, template: str, **variables: str | bool | Mapping[str, str] | Sequence[object] | None
) -> str:
    import jinja2

    try:
        text = _environment(tree).get_template(template).render(variables)
    except jinja2.TemplateNotFound as error:
        raise ImageError(
            f"template 'dockerfiles/{error.name}' does not exist",
            hint="correct the entry's `template` in images.yaml, or install mlperf-docker again",
        ) from error
    except jinja2.TemplateError as error:
        line = f":{error.lineno}" if isinstance(error, jinja2.TemplateSyntaxError) else ""
        raise ImageError(
            f"the template cannot be rendered: {error.message or error}",
            where=f"dockerfiles/{template}{line}",
            hint="correct the template; `mlperf-docker images render` shows the outcome",
        ) from error
    return text


@cache
def _environment(tree: SourceTree) -> jinja2.Environment:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader([*(folder / _TEMPLATES for folder in overlays()), tree.shipped / _TEMPLATES]),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shell_quote"] = shlex.quote
    return environment
