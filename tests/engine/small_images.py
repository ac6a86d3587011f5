"""A shipped tree with one small entry: real templates and scripts, LoadGen as the only package, code of one file."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.config.images import image_entries
from orchestrator.domain.image import ImageChoice, ImageEntry, PlannedImage, ReadyImage
from orchestrator.domain.site import Site
from orchestrator.host.shipped import shipped
from orchestrator.host.site import detect_site
from orchestrator.images.context import SourceTree
from orchestrator.images.docker_images import DockerImages

ENTRY = "images-test"
ROUND = "v6.1"
PLATFORM = "linux/amd64"
_REQUIREMENTS = "dockerfiles/generic/requirements/"


@dataclass(kw_only=True)
class Heard:
    """What ensure logged and said."""

    log: bytearray = field(default_factory=bytearray)
    lines: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The whole build or pull log."""
        return self.log.decode("utf-8", "replace")


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Makes images of the small entry on a real engine; the tree may be changed between two makings."""

    tree: SourceTree
    cache: Path
    url: str
    entry: ImageEntry

    def images(self, *, site: Site | None = None, entry: ImageEntry | None = None) -> DockerImages:
        """A fresh adapter, as a new process would have it."""
        entries = {ENTRY: entry or self.entry}
        return DockerImages(entries, url=self.url, site=site or detect_site(), cache=self.cache, tree=self.tree)

    def planned(self, images: DockerImages, choice: ImageChoice | None = None, *, debug: bool = False) -> PlannedImage:
        """The plan of the small entry as the tree is now."""
        recipe = images.plan(ENTRY, round_name=ROUND, platform=PLATFORM)
        return PlannedImage(
            entry=ENTRY, round=ROUND, platform=PLATFORM, recipe=recipe, choice=choice or ImageChoice(), debug=debug
        )

    def ensure(
        self,
        choice: ImageChoice | None = None,
        *,
        heard: Heard | None = None,
        site: Site | None = None,
        entry: ImageEntry | None = None,
        debug: bool = False,
    ) -> ReadyImage:
        """Have the image of the tree as it is now."""
        images = self.images(site=site, entry=entry)
        heard = heard or Heard()
        wanted = self.planned(images, choice, debug=debug)
        return images.ensure(wanted, log=heard.log.extend, say=heard.lines.append)

    def write_code(self, text: str) -> None:
        """Replace the in-container program."""
        (self.tree.package / "sut" / "__main__.py").write_text(text)

    def shipped_file(self, name: str) -> Path:
        """A file of the copied `dockerfiles`."""
        return self.tree.shipped / "dockerfiles" / name


def small_workshop(folder: Path, url: str) -> Workshop:
    """A workshop below a folder of its own."""
    tree = SourceTree(shipped=folder / "shipped", package=folder / "package")
    shutil.copytree(shipped("dockerfiles"), tree.shipped / "dockerfiles")
    whole = shipped(_REQUIREMENTS, f"tflite-{ROUND}-amd64.txt").read_text()
    loadgen = re.search(r"^mlcommons-loadgen==.*(?:\n    --hash=.*)+\n", whole, re.MULTILINE)
    assert loadgen is not None
    (tree.shipped / _REQUIREMENTS / f"small-{ROUND}-amd64.txt").write_text(loadgen[0])
    (tree.package / "sut").mkdir(parents=True)
    entry = replace(
        image_entries()["generic-tflite"],
        name=ENTRY,
        requirements=f"{_REQUIREMENTS}small-{{round}}-{{architecture}}.txt",
    )
    workshop = Workshop(tree=tree, cache=folder / "cache", url=url, entry=entry)
    workshop.write_code("print('first')\n")
    return workshop
