"""`mlperf-docker images list|render|build|pull|push|lock|verify|prune`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from orchestrator.config.settings import Settings

    _Action = Callable[[tuple[str, ...], Settings, bool], int]

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="An entry of images.yaml ('mlperf-docker images list').")]
Names = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]...", help="Entries of images.yaml; none: all that can be.")
]
Round = Annotated[str | None, typer.Option("--round", help="MLPerf Inference round.")]
Registry = Annotated[str | None, typer.Option("--registry", help="Where prebuilt images are: HOST:PORT/PATH.")]
Mirror = Annotated[
    list[str] | None, typer.Option("--mirror", metavar="HOST=HOST", help="Ask another registry for base images.")
]
LockFile = Annotated[Path | None, typer.Option("--file", help="The lock file; default ./images.lock.")]
Source = Annotated[list[str] | None, typer.Option("--source", metavar="NAME=DIR", help="A local clone to build from.")]
Sdk = Annotated[list[str] | None, typer.Option("--sdk", metavar="NAME=FILE", help="An SDK archive only you can bring.")]
Catalog = Annotated[list[Path] | None, typer.Option("--catalog", help="A folder with images.yaml of your own.")]
BaseImage = Annotated[str | None, typer.Option("--base-image", help="Base to build on.")]
Rebuild = Annotated[bool, typer.Option("--rebuild", help="Build even if it is there.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.callback()
def images() -> None:
    """Container images: list, render, build, pull, push, lock, verify, prune."""


@app.command("list")
def list_(catalog: Catalog = None, json_: Json = False) -> int:
    """List the images this program knows how to make or pull."""
    from orchestrator.cli import options
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.images import image_entries

    options.use_catalogue(catalog)
    entries = image_entries()
    if json_:
        write_json({"schema_version": 1, "images": list(entries.values())})
        return 0
    registry = options.settings({}).registry
    rows = []
    for one in entries.values():
        bases = one.bases or ((one.base,) if one.base is not None else ())
        base = bases[0].registry if bases else "-"
        more = f" and {len(bases) - 1} more" if len(bases) > 1 else ""
        origin = f"{registry}/{one.name}" if registry and one.pushable else one.prebuilt or "built here"
        rows.append((one.name, one.description, f"{base}{more}", origin, one.evidence.value))
    write_table(("image", "description", "base", "from", "evidence"), rows)
    return 0


@app.command()
def render(  # noqa: PLR0917
    name: Name,
    round_: Round = None,
    source: Source = None,
    sdk: Sdk = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Print the Dockerfile of an image; the same input gives the same bytes."""
    import sys

    from orchestrator.cli import options
    from orchestrator.cli.output import write_json
    from orchestrator.controller.image_work import render_entry
    from orchestrator.domain.image import ImageChoice

    options.use_catalogue(catalog)
    choice = ImageChoice(
        sources=options.paths(source or [], "--source", revisions=True), sdks=options.paths(sdk or [], "--sdk")
    )
    rendered = render_entry(name, options.settings({"round": round_}), choice)
    if json_:
        write_json({"schema_version": 1, "image": name, "recipe": rendered.recipe, "dockerfile": rendered.text})
    else:
        sys.stdout.write(rendered.text)
    return 0


@app.command()
def build(  # noqa: PLR0917
    name: Name,
    round_: Round = None,
    rebuild: Rebuild = False,
    base_image: BaseImage = None,
    pull_: Annotated[str, typer.Option("--pull", help="missing, always, never, or only (never build).")] = "missing",
    registry: Registry = None,
    mirror: Mirror = None,
    source: Source = None,
    sdk: Sdk = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Have an image: present, pulled or built; prints what the engine then holds."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.image_work import ensure_entry
    from orchestrator.domain.image import ImageChoice, ImageRef
    from orchestrator.domain.terms import Pull

    options.use_catalogue(catalog)
    choice = ImageChoice(
        rebuild=rebuild,
        pull=options.one_of(Pull, pull_, "pull policy") or Pull.MISSING,
        base=ImageRef.parse(base_image) if base_image else None,
        sources=options.paths(source or [], "--source", revisions=True),
        sdks=options.paths(sdk or [], "--sdk"),
    )
    settings = options.settings({"round": round_, **options.registries(registry, mirror)})
    ready = ensure_entry(name, settings, choice, say=say)
    if json_:
        write_json({"schema_version": 1, "image": ready})
    else:
        write_lines([f"{ready.reference}  {ready.image_id}  {ready.origin}"])
    return 0


def _published(action: _Action) -> _Action:
    """Make a command of it; its options are those of all commands about what a registry holds."""

    def command(  # noqa: PLR0917
        names: Names = None,
        round_: Round = None,
        registry: Registry = None,
        lock_file: LockFile = None,
        catalog: Catalog = None,
        json_: Json = False,
    ) -> int:
        from orchestrator.cli import options

        options.use_catalogue(catalog)
        settings = options.settings({"round": round_, **options.registries(registry, None, lock_file)})
        return action(tuple(names or ()), settings, json_)

    app.command(action.__name__, help=action.__doc__)(command)
    return action


@_published
def pull(names: tuple[str, ...], settings: Settings, as_json: bool) -> int:
    """Fetch published images (entries, or references), by digest where images.lock pins them; builds nothing."""
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.image_work import pull_images

    found = pull_images(names, settings, say=say)
    if as_json:
        write_json({"schema_version": 1, "images": found})
    else:
        write_lines([f"{one.reference}  {one.manifest_digest or one.image_id}  {one.origin}" for one in found])
    return 0


@app.command()
def push(  # noqa: PLR0917
    names: Names = None,
    round_: Round = None,
    registry: Registry = None,
    mirror: Mirror = None,
    sign_key: Annotated[
        Path | None, typer.Option("--sign-key", help="Private EC key (PEM) to sign them with, as cosign does.")
    ] = None,
    rebuild: Rebuild = False,
    base_image: BaseImage = None,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Publish images in your registry, built first where they are not there; licences that forbid it are kept."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.image_work import push_images
    from orchestrator.domain.image import ImageChoice, ImageRef

    options.use_catalogue(catalog)
    settings = options.settings({"round": round_, **options.registries(registry, mirror)})
    choice = ImageChoice(rebuild=rebuild, base=ImageRef.parse(base_image) if base_image else None)
    key = options.readable(sign_key, "--sign-key")
    found = push_images(tuple(names or ()), settings, sign_key=key, choice=choice, say=say)
    if json_:
        write_json({"schema_version": 1, "images": found})
    else:
        write_lines([f"{one.reference}  {one.manifest_digest}{'  signed' * bool(one.signature)}" for one in found])
    return 0


@_published
def lock(names: tuple[str, ...], settings: Settings, as_json: bool) -> int:
    """Pin what the registry holds, by digest, in images.lock; nothing is pulled."""
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.image_work import lock_images

    pins = lock_images(names, settings, say=say)
    if as_json:
        write_json({"schema_version": 1, "file": settings.images_lock, "images": pins})
    else:
        write_lines([f"{pin.reference}  {pin.manifest_digest}" for pin in pins])
        say(f"{settings.images_lock}: {len(pins)} images pinned")
    return 0


@_published
def verify(names: tuple[str, ...], settings: Settings, as_json: bool) -> int:
    """Check held images: digest, labels, recipe, signature, LoadGen's seeds inside; exit status 5 when one fails."""
    from orchestrator.cli.output import say, write_json, write_table
    from orchestrator.controller.image_checks import verify_images
    from orchestrator.errors import ExitCode

    found = verify_images(names, settings, say=say)
    if as_json:
        write_json({"schema_version": 1, "images": found})
    else:
        rows = [(one.entry, each.name, each.outcome.value, each.text) for one in found for each in one.checks]
        write_table(("image", "check", "outcome", "what was found"), rows)
    return 0 if all(one.ok for one in found) else int(ExitCode.IMAGE)


@app.command()
def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    stages: Annotated[
        bool, typer.Option("--stages/--no-stages", help="Layers of build stages too; the next build is slower then.")
    ] = True,
    catalog: Catalog = None,
    json_: Json = False,
) -> int:
    """Remove old images of ours and layers of build stages; never what a container or another image uses."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_json, write_table
    from orchestrator.controller.image_work import prune_images

    options.use_catalogue(catalog)
    pruned = prune_images(options.settings({}), dry_run=dry_run, stages=stages, say=say)
    if json_:
        write_json({"schema_version": 1, "dry_run": dry_run, "images": pruned})
        return 0
    outcome = "would go" if dry_run else "removed"
    rows = [(one.image, f"kept: {one.kept}" if one.kept else outcome, one.reason) for one in pruned]
    if rows:
        write_table(("image", "outcome", "reason"), rows)
    say(f"{len(rows)} images; their layers may be shared, so 'docker system df' tells what that frees")
    return 0
