"""Where the files that come with the program lie: from the wheel, or from a source checkout."""

from __future__ import annotations

from pathlib import Path

import orchestrator

_PACKAGE = Path(orchestrator.__file__).parent


def shipped(*parts: str) -> Path:
    """Path of `images.yaml` or of something under `dockerfiles/`."""
    installed = _PACKAGE / "_shipped"
    return (installed if installed.is_dir() else _PACKAGE.parent).joinpath(*parts)


def package(*parts: str) -> Path:
    """Path of something inside the import package (`sut`, `preparation`, `catalog`)."""
    return _PACKAGE.joinpath(*parts)
