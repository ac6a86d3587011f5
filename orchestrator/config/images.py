"""Read images.yaml: one entry per image, keyed by its name. Knows nothing of rendering or engines."""

from __future__ import annotations

import functools
from collections.abc import Mapping

from orchestrator.config.decode import decode_entries
from orchestrator.domain.image import ImageEntry
from orchestrator.errors import ConfigError
from orchestrator.host.shipped import shipped


@functools.cache
def image_entries() -> Mapping[str, ImageEntry]:
    """All entries by name, in the file's order; ConfigError lists every fault of the file."""
    try:
        text = shipped("images.yaml").read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError((f"{error.filename} is missing",), hint="install mlperf-docker anew") from error
    return decode_entries(ImageEntry, text, "images.yaml", section="images")
