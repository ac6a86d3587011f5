"""Where the files that come with the program lie: from the wheel, or from a source checkout."""

from __future__ import annotations

from pathlib import Path

import orchestrator

_PACKAGE = Path(orchestrator.__file__).parent
_OVERLAYS: list[Path] = []


def use_overlays(folders: tuple[Path, ...]) -> None:
    """Let folders of the user's stand before the shipped catalogue, images and templates, the first one first."""
    _OVERLAYS[:] = [folder.absolute() for folder in folders]


def overlays() -> tuple[Path, ...]:
    """The user's own catalogue folders (`--catalog`)."""
    return tuple(_OVERLAYS)


def overlaid(*parts: str) -> tuple[Path, ...]:
    """Every place where a shipped file may stand, the user's folders first; not all of them exist."""
    return (*(folder.joinpath(*parts) for folder in _OVERLAYS), shipped(*parts))


def shipped(*parts: str) -> Path:
    """Path of `images.yaml` or of something under `dockerfiles/`."""
    installed = _PACKAGE / "_shipped"
    return (installed if installed.is_dir() else _PACKAGE.parent).joinpath(*parts)


def package(*parts: str) -> Path:
    """Path of something inside the import package (`sut`, `preparation`, `catalog`)."""
    return _PACKAGE.joinpath(*parts)
