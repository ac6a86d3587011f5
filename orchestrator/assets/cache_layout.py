"""Where each thing lies in a cache folder: the only place that knows. Reads and writes nothing but folders.

`store/sha256/HASH` holds bytes by content, `assets/NAME/KEY` the named views on them; all else can be made again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.host.files import make_folder

KEY_DIGITS = 16
MANIFEST = ".manifest.json"  # hidden: it lies among the asset's own files, where one may be called manifest.json
SITE_REMEDY = "it lies in a cache of the site: tell whoever keeps that, or leave it out of 'site_caches'"
LOCAL = "_local"  # in `uses`: what the user gave by path has no name of its own
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._@-]*$")  # @ in NAME@500, a part of a data set
_KEY = re.compile(rf"^[0-9a-f]{{{KEY_DIGITS}}}$")
_HASH = re.compile(r"^[0-9a-f]{64}$")
PARTS = ("assets", "entries", "local", "locks", "partial", "pins", "store", "tmp", "trust", "uses", "work")


def is_name(text: str) -> bool:
    """Whether an asset may be called so: a name is a folder's name, too."""
    return _NAME.match(text) is not None


def is_sha256(text: str) -> bool:
    """Whether it is a hash as blobs are called."""
    return _HASH.match(text) is not None


@dataclass(frozen=True, slots=True)
class CacheLayout:
    """Paths below one cache folder (absolute)."""

    root: Path

    def blob(self, sha256: str) -> Path:
        """Bytes by their hash."""
        return self.root / "store" / "sha256" / sha256

    def md5_note(self, md5: str) -> Path:
        """The sha256 of what came with this md5."""
        return self.root / "store" / "md5" / md5

    def view(self, name: str, key: str) -> Path:
        """The folder of a finished asset."""
        return self.root.joinpath("assets", name, key[:KEY_DIGITS])

    def manifest(self, name: str, key: str) -> Path:
        """What its files were when it was believed; an asset without one is not there."""
        return self.root.joinpath("assets", name, key[:KEY_DIGITS], MANIFEST)

    def summary(self, name: str, key: str) -> Path:
        """The few words on it that a list needs; made again from the manifest when lost."""
        return self.root.joinpath("entries", name, f"{key[:KEY_DIGITS]}.json")

    def uses(self, name: str, key: str) -> Path:
        """Which run used it when, one line each."""
        return self.root.joinpath("uses", name if is_name(name) else LOCAL, f"{key[:KEY_DIGITS]}.jsonl")

    def pin(self, name: str) -> Path:
        """There while the name is pinned."""
        return self.root.joinpath("pins", name)

    def trust(self, key: str) -> Path:
        """Hashes that were believed at first use, remembered beyond the asset's removal."""
        return self.root / "trust" / f"{key[:KEY_DIGITS]}.json"

    def partial(self, key: str) -> Path:
        """What has come of a transfer so far."""
        return self.root / "partial" / key[:KEY_DIGITS]

    def lock(self, purpose: str) -> Path:
        """A lock file."""
        return self.root.joinpath("locks", f"{purpose}.lock")

    def asset_lock(self, name: str, key: str) -> Path:
        """Held by whoever makes, imports or removes the asset; shared by those that begin to use it."""
        return self.lock(f"asset-{name}-{key[:KEY_DIGITS]}")

    @property
    def filling_lock(self) -> Path:
        """Shared by all that fetch or make; held alone while blobs and partial downloads are removed."""
        return self.lock("filling")

    @property
    def tmp(self) -> Path:
        """Folders of work under way, named after their owners."""
        return self.root / "tmp"

    @property
    def work(self) -> Path:
        """What drivers keep: preprocessed data, engines."""
        return self.root / "work"

    @property
    def local(self) -> Path:
        """Hashes of the user's own files, remembered by place."""
        return self.root / "local"

    def views(self) -> Iterator[tuple[str, str, Path]]:
        """Name, key (16 digits) and folder of every asset that is there, whole or damaged, in order; other things not.

        A cache that is not there, or may not be read, has none.
        """
        for name, place in _folders(self.root / "assets"):
            if is_name(name):
                yield from ((name, key, view) for key, view in _folders(place) if _KEY.match(key))

    def blobs(self) -> Iterator[Path]:
        """Every blob, in order."""
        with suppress(OSError):
            folder = self.root / "store" / "sha256"
            yield from sorted(path for path in folder.iterdir() if _HASH.match(path.name))

    def works(self) -> Iterator[Path]:
        """Every folder that a driver keeps: `work/IMPLEMENTATION/NAME`."""
        for _, implementation in _folders(self.work):
            yield from (folder for _, folder in _folders(implementation))

    def partials(self) -> Iterator[Path]:
        """What has come of every transfer that did not end."""
        yield from (folder for _, folder in _folders(self.root / "partial"))


def make_root(root: Path) -> None:
    """The cache folder itself; those above it follow the umask, those below can be read by others."""
    if not root.is_dir():
        root.parent.mkdir(parents=True, exist_ok=True)
        make_folder(root)


def _folders(place: Path) -> list[tuple[str, Path]]:
    """Name and path of the folders in a folder, sorted; links to folders are not ours."""
    try:
        with os.scandir(place) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [(name, place / name) for name in names]
