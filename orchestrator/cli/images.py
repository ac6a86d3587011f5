"""`mlperf-docker images list|render|build`."""

from __future__ import annotations

from typing import Annotated

import typer

app = typer.Typer(add_completion=False, rich_markup_mode="rich", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="An entry of images.yaml ('mlperf-docker images list').")]
Round = Annotated[str | None, typer.Option("--round", help="MLPerf Inference round.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


@app.callback()
def images() -> None:
    """Container images: list, render, build."""


@app.command("list")
def list_(json_: Json = False) -> int:
    """List the images this program knows how to make or pull."""
    from orchestrator.cli.output import write_json, write_table
    from orchestrator.config.images import image_entries

    entries = image_entries()
    if json_:
        write_json({"schema_version": 1, "images": list(entries.values())})
        return 0
    rows = [
        (one.name, one.description, one.base.registry, one.prebuilt or "built here", one.evidence.value)
        for one in entries.values()
    ]
    write_table(("image", "description", "base", "from", "evidence"), rows)
    return 0


@app.command()
def render(name: Name, round_: Round = None, json_: Json = False) -> int:
    """Print the Dockerfile of an image; the same input gives the same bytes."""
    import sys

    from orchestrator.cli import options
    from orchestrator.cli.output import write_json
    from orchestrator.controller.image_work import render_entry

    rendered = render_entry(name, options.settings({"round": round_}))
    if json_:
        write_json({"schema_version": 1, "image": name, "recipe": rendered.recipe, "dockerfile": rendered.text})
    else:
        sys.stdout.write(rendered.text)
    return 0


@app.command()
def build(
    name: Name,
    round_: Round = None,
    rebuild: Annotated[bool, typer.Option(help="Build even if it is there.")] = False,
    base_image: Annotated[str | None, typer.Option(help="Base to build on.")] = None,
    json_: Json = False,
) -> int:
    """Have an image: present, pulled or built; prints what the engine then holds."""
    from orchestrator.cli import options
    from orchestrator.cli.output import say, write_json, write_lines
    from orchestrator.controller.image_work import ensure_entry
    from orchestrator.domain.image import ImageChoice, ImageRef

    choice = ImageChoice(rebuild=rebuild, base=ImageRef.parse(base_image) if base_image else None)
    ready = ensure_entry(name, options.settings({"round": round_}), choice, say=say)
    if json_:
        write_json({"schema_version": 1, "image": ready})
    else:
        write_lines([f"{ready.reference}  {ready.image_id}  {ready.origin}"])
    return 0
