"""Turn an entry of images.yaml into a recipe: Dockerfile text and build context. Pure but for reading shipped files."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.domain.image import ImageEntry
from orchestrator.errors import ImageError
from orchestrator.images.context import ContextFile, SourceTree, digest

if TYPE_CHECKING:
    import jinja2

DOCKERFILE = "Dockerfile"
_REQUIREMENTS = "build/requirements.txt"
_TEMPLATES = "dockerfiles"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendered:
    """A recipe: the Dockerfile's text, the context files beside it, and the hash over both (64 hex digits).

    `round` is None when the entry is the same in every round.
    """

    entry: str
    round: str | None
    platform: str
    text: str
    files: tuple[ContextFile, ...]
    recipe: str

    @property
    def context(self) -> tuple[ContextFile, ...]:
        """All files that a builder needs, the Dockerfile among them; the site's files are added when it builds."""
        return (*self.files, ContextFile(path=DOCKERFILE, mode=0o644, content=self.text.encode()))


def render(entry: ImageEntry, round_name: str, platform: str, *, tree: SourceTree | None = None) -> Rendered:
    """The recipe of an entry for a round and a platform (`linux/amd64`). The same input gives the same bytes.

    Raises ImageError: a platform or round that the entry does not serve, a missing file, a broken template.
    """
    tree = tree or SourceTree.installed()
    if platform not in entry.platforms:
        raise ImageError(
            f"image '{entry.name}' cannot be made for {platform}",
            hint=f"it exists for {', '.join(entry.platforms)}; use such a machine, or name an image with --image",
        )
    round_or_none = round_name if _depends_on_round(entry) else None
    files = _files(entry, round_name, platform, tree)
    text = _text(
        tree,
        entry.template,
        entry=entry.name,
        round=round_or_none,
        platform=platform,
        architecture=_architecture(platform),
        arguments=dict(entry.arguments),
    )
    return Rendered(
        entry=entry.name,
        round=round_or_none,
        platform=platform,
        text=text,
        files=files,
        recipe=digest(text, files),
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


def _depends_on_round(entry: ImageEntry) -> bool:
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


def _text(tree: SourceTree, template: str, **variables: str | dict[str, str] | None) -> str:
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


def _environment(tree: SourceTree) -> jinja2.Environment:
    import jinja2
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=jinja2.FileSystemLoader(tree.find(_TEMPLATES)),
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["shell_quote"] = shlex.quote
    return environment
