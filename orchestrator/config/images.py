"""Read images.yaml (and those of the user's catalogue folders): one entry per image. Knows nothing of rendering."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from orchestrator.config.decode import decode_entries
from orchestrator.domain.image import ImageEntry
from orchestrator.errors import ConfigError
from orchestrator.host.shipped import overlays, shipped


@functools.cache
def image_entries() -> Mapping[str, ImageEntry]:
    """All entries by name, in the file's order; ConfigError lists every fault of the file."""
    try:
        text = shipped("images.yaml").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError((f"{error.filename} is missing",), hint="install mlperf-docker anew") from error
    found = dict(decode_entries(ImageEntry, text, "images.yaml", section="images"))
    for folder in reversed(overlays()):
        own = folder / "images.yaml"
        if own.is_file():
            found.update(decode_entries(ImageEntry, own.read_text(encoding="utf-8"), str(own), section="images"))
    return found
