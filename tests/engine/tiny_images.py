"""Images of a few kilobytes with real recipes: a base made of one file, entries that add another."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import docker
import docker.errors

from orchestrator.domain.image import NO_CHOICE, BaseImage, ImageChoice, ImageEntry, PlannedImage, ReadyImage
from orchestrator.domain.site import Site
from orchestrator.host.machine import platform_name
from orchestrator.images.context import SourceTree
from orchestrator.images.docker_images import DockerImages
from orchestrator.images.places import Places
from tests.engine.small_images import Heard

ENTRY = "registry-test"
BASE = "registry-test-base:1"
ROUND = "v6.1"
PLATFORM = platform_name()


@dataclass(kw_only=True)
class Tiny:
    """One entry of tiny images, changed by its tree; every `ensure` is as a new process would do it."""

    folder: Path
    url: str
    client: docker.DockerClient
    entry: ImageEntry
    heard: Heard = field(default_factory=Heard)

    @property
    def tree(self) -> SourceTree:
        """Where template and files lie."""
        return SourceTree(shipped=self.folder / "shipped", package=self.folder / "package")

    def images(self, places: Places | None = None) -> DockerImages:
        """A fresh adapter."""
        return DockerImages(
            {self.entry.name: self.entry},
            url=self.url,
            site=Site(),
            cache=self.folder / "cache",
            tree=self.tree,
            places=places,
        )

    def wanted(self, choice: ImageChoice = NO_CHOICE) -> PlannedImage:
        """The plan for the tree as it is now."""
        recipe = self.images().plan(self.entry.name, round_name=ROUND, platform=PLATFORM, choice=choice)
        return PlannedImage(entry=self.entry.name, round=ROUND, platform=PLATFORM, recipe=recipe, choice=choice)

    def ensure(self, places: Places | None = None, choice: ImageChoice = NO_CHOICE) -> ReadyImage:
        """Have it."""
        self.heard = Heard()
        log, say = self.heard.log.extend, self.heard.lines.append
        return self.images(places).ensure(self.wanted(choice), log=log, say=say)

    def present(self, places: Places | None = None) -> ReadyImage | None:
        """What is held."""
        return self.images(places).present(self.wanted())

    def made_elsewhere(self) -> str:
        """The image as another machine would have built it, under a name of no meaning; its id."""
        content = (self.folder / "shipped" / "files" / "content").read_bytes()
        labels = {
            "mlperf-docker.entry": self.entry.name,
            "mlperf-docker.round": "any",
            "mlperf-docker.recipe": self.wanted().recipe,
            "mlperf-docker.identity": "1" * 64,
            "mlperf-docker.base-id": f"sha256:{'2' * 64}",
            "mlperf-docker.base-origin": "of another machine",
        }
        name = f"{ENTRY}-elsewhere:1"
        return load_image(self.client, name, platform=PLATFORM, labels=labels, content=content)

    def write(self, content: bytes) -> None:
        """Change the one file of the image, and so its recipe."""
        (self.folder / "shipped" / "files" / "content").write_bytes(content)

    def forget(self, *names: str) -> None:
        """Make the engine clean of the images: these names, or all of the entry and of its base."""
        drop(self.client, names or names_with(self.client, ENTRY))


@contextmanager
def tiny_images(folder: Path, url: str, client: docker.DockerClient, *, size_bytes: int = 64) -> Iterator[Tiny]:
    """The entry over a base that is made here; all images of the test are gone after it."""
    template = folder / "shipped" / "dockerfiles" / "tiny" / "Dockerfile.j2"
    template.parent.mkdir(parents=True)
    template.write_text("# {{ entry }} {{ round }} {{ platform }}\nARG BASE\nFROM ${BASE}\nCOPY files/ /\n")
    (folder / "shipped" / "files").mkdir()
    (folder / "package").mkdir()
    entry = ImageEntry(
        name=ENTRY,
        template="tiny/Dockerfile.j2",
        description="for tests of registries",
        base=BaseImage(registry=BASE),
        context=(("files", "files"),),
    )
    tiny = Tiny(folder=folder, url=url, client=client, entry=entry)
    tiny.write(os.urandom(size_bytes))
    import_base(client, os.urandom(16))
    try:
        yield tiny
    finally:
        drop(client, names_with(client, ENTRY))


def import_base(client: docker.DockerClient, content: bytes, name: str = BASE) -> str:
    """A base of one file; its id."""
    repository, _, tag = name.rpartition(":")
    made = client.api.import_image_from_data(_tar({"base": content}), repository=repository, tag=tag)
    return str(json.loads(made)["status"])


def load_image(
    client: docker.DockerClient, name: str, *, platform: str, labels: Mapping[str, str] | None = None, content: bytes
) -> str:
    """An image of one file under a name, as if it had been built; its id. Quicker than a build."""
    layer = _tar({"content": content})
    described = {
        "architecture": platform.partition("/")[2],
        "os": "linux",
        "config": {"Labels": dict(labels or {})},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]
    parts = {
        "layer.tar": layer,
        "config.json": json.dumps(described).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    list(client.api.load_image(_tar(parts)))
    return str(client.images.get(name).id)


def names_with(client: docker.DockerClient, word: str) -> list[str]:
    """All names in the engine that hold a word, digests too."""
    return [
        name
        for image in client.api.images()
        for name in (*(image.get("RepoTags") or ()), *(image.get("RepoDigests") or ()))
        if word in name and "<none>" not in name
    ]


def drop(client: docker.DockerClient, names: Iterable[str]) -> None:
    """Remove names; the last tag of an image takes its digests with it."""
    for name in names:
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.api.remove_image(name, force=True)


def log_in(folder: Path, host: str, user: str, password: str) -> Path:
    """A docker configuration with one login more; to be named by DOCKER_CONFIG."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "config.json"
    logins = json.loads(file.read_text())["auths"] if file.exists() else {}
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    file.write_text(json.dumps({"auths": {**logins, host: {"auth": auth}}}))
    return folder


def rounds_of(tiny: Tiny, *bases: BaseImage) -> ImageEntry:
    """The entry with bases by round and architecture."""
    return replace(tiny.entry, base=None, bases=bases)


def _tar(files: Mapping[str, bytes]) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return raw.getvalue()
