"""Images by themselves, without a run: render one, have one. Decides only which round and platform."""

from __future__ import annotations

import sys

from orchestrator.config.catalog import load_round
from orchestrator.config.images import image_entries
from orchestrator.config.settings import Settings
from orchestrator.controller.connect import connect_to
from orchestrator.domain.image import ImageChoice, PlannedImage, ReadyImage
from orchestrator.domain.ports import Say
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import EngineName
from orchestrator.host.machine import platform_name
from orchestrator.images.render import Rendered, render


def render_entry(name: str, settings: Settings) -> Rendered:
    """The rendered recipe of an image for the settings' round and this machine's platform."""
    entries = image_entries()
    if name not in entries:
        raise unknown("image", name, entries)
    return render(entries[name], load_round(settings.round).name, platform_name())


def ensure_entry(name: str, settings: Settings, choice: ImageChoice, *, say: Say) -> ReadyImage:
    """The image as the engine holds it; built with its output on stderr when it has to be."""
    round_name = load_round(settings.round).name
    if name not in image_entries():
        raise unknown("image", name, image_entries())
    connected = connect_to(EngineName.DOCKER, settings, round_name=round_name, choice=choice)
    platform = connected.ground.platform
    wanted = PlannedImage(
        entry=name,
        round=round_name,
        platform=platform,
        recipe=connected.images.plan(name, round_name=round_name, platform=platform),
        choice=choice,
    )
    return connected.images.ensure(wanted, log=sys.stderr.buffer.write, say=say)  # type: ignore[arg-type]
