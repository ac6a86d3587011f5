"""Private virtual environments for the native engine, made from the same lock files and code as the images.

An environment is a folder named by its identity; it is complete when its marker is there, and is never changed then.
"""

from __future__ import annotations

import hashlib
import platform as host_platform
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.canonical import pretty_json
from orchestrator.domain.image import NO_CHOICE, ImageChoice, ImageEntry, PlannedImage, ReadyImage, Recipe
from orchestrator.domain.ports import Output, Say
from orchestrator.domain.site import Site
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import Pull
from orchestrator.errors import ImageError
from orchestrator.host.files import lock, tree_files, write_atomic
from orchestrator.host.process import stream
from orchestrator.host.retry import transient
from orchestrator.images.build import Tail, failure
from orchestrator.images.context import ContextFile, SourceTree, digest
from orchestrator.images.render import Rendered, render
from orchestrator.images.site_files import site_files

_MARKER = "environment.json"
_REQUIREMENTS = "build/requirements.txt"
_SEEDS = ("build/check_seeds.py", "build/seeds.json")
_CODE = "code/"
_CERTIFICATES = "site/ca.pem"  # indexes and their credentials are pip's own business on its host


class NativeEnvironments:
    """Implements `ports.Images` for the engine without containers. Never touches the caller's own environment."""

    def __init__(
        self, entries: Mapping[str, ImageEntry], *, cache: Path, site: Site, tree: SourceTree | None = None
    ) -> None:
        self._entries = entries
        self._cache = cache
        self._site = site
        self._tree = tree or SourceTree.installed()
        self._rendered: dict[tuple[str, str, str], Rendered] = {}

    def plan(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> str:  # noqa: ARG002
        """The recipe hash (64 hex digits): requirements, code and the seeds that are checked; no base is in it.

        ImageError for an entry that is built from sources or SDKs: those need a container.
        """
        described = self._entries.get(entry)
        if described is not None and (described.sources or described.sdks):
            raise ImageError(
                f"'{entry}' is built from sources, which the native engine cannot do", hint="use --engine docker"
            )
        return digest("native environment", self._files(entry, round_name, platform))

    def recipe(self, entry: str, *, round_name: str, platform: str, choice: ImageChoice = NO_CHOICE) -> Recipe:
        """The same; a native environment has no sources of its own."""
        return Recipe(hash=self.plan(entry, round_name=round_name, platform=platform, choice=choice))

    def present(self, wanted: PlannedImage) -> ReadyImage | None:
        """The environment if it is complete; makes nothing."""
        self._refuse_images(wanted)
        folder = self._folder(wanted)
        return self._ready(wanted, folder, "present") if (folder / _MARKER).is_file() else None

    def ensure(self, wanted: PlannedImage, *, log: Output, say: Say) -> ReadyImage:
        """Have the environment; ImageError names what pip could not do."""
        self._refuse_images(wanted)
        if self.plan(wanted.entry, round_name=wanted.round, platform=wanted.platform) != wanted.recipe:
            raise ImageError(
                f"the environment of '{wanted.entry}' is not the one that was planned",
                hint="mlperf-docker was changed since; plan the run anew",
            )
        folder = self._folder(wanted)
        lock_file = self._cache / "locks" / f"native-{folder.name[:12]}.lock"
        with lock(lock_file, waiting=lambda: say(f"another process makes {folder}; waiting for it")):
            if (folder / _MARKER).is_file() and not wanted.choice.rebuild:
                return self._ready(wanted, folder, "present")
            if wanted.choice.pull is Pull.ONLY:
                raise ImageError(
                    f"the environment of '{wanted.entry}' is not here, and making one is forbidden",
                    hint="leave out --pull only: environments of the native engine are made on each machine",
                )
            say(f"making the private environment of {wanted.entry} in {folder}")
            self._make(wanted, folder, log=log, say=say)
        return self._ready(wanted, folder, "environment")

    def _make(self, wanted: PlannedImage, folder: Path, *, log: Output, say: Say) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            files = self._files(wanted.entry, wanted.round, wanted.platform)
            staging = folder / "staging"
            certificates = (file for file in site_files(self._site) if file.path == _CERTIFICATES)
            _write(staging, (*files, *certificates))
            python = _create(folder)
            self._install(wanted.entry, python, staging, log=log, say=say)
            if (staging / _SEEDS[1]).is_file():
                _call(wanted.entry, (str(python), *(str(staging / name) for name in _SEEDS)), {}, log)
            shutil.copytree(staging / _CODE, folder / "code")
            shutil.rmtree(staging)
            compiling = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder / "code"))
            _call(wanted.entry, (str(python), *compiling), {}, log)
            size_bytes = sum(path.stat().st_size for path in tree_files(folder))
            marker = {"schema_version": 1, "entry": wanted.entry, "recipe": wanted.recipe, "size_bytes": size_bytes}
            write_atomic(folder / _MARKER, pretty_json(marker))
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def _install(self, entry: str, python: Path, staging: Path, *, log: Output, say: Say) -> None:
        """Our own pip installs into the other environment, which therefore needs none (nor Debian's python3-venv)."""
        argv = (
            *(sys.executable, "-m", "pip", "--python", str(python), "install", "--disable-pip-version-check"),
            *("--no-input", "--progress-bar", "off", "--require-hashes", "--no-deps", "--only-binary", ":all:"),
            *("--requirement", str(staging / _REQUIREMENTS)),
        )
        network = self._network(staging)
        try:
            transient(lambda: _call(entry, argv, network, log), say=say, attempts=3)
        except ImageError as error:
            if "No matching distribution" not in error.cause and "DO NOT MATCH" not in error.cause:
                raise
            raise ImageError(
                error.cause,
                hint=f"the pinned wheels are for CPython 3.11 to 3.13, and this is {_python()}: use one of those, "
                "check the mirror in pip's settings, or use --engine docker",
            ) from error

    def _network(self, staging: Path) -> dict[str, str]:
        """What pip of this host does not know by itself: settings that were given to us, not found on the host."""
        proxies = {
            "http_proxy": self._site.http_proxy,
            "https_proxy": self._site.https_proxy,
            "no_proxy": self._site.no_proxy,
        }
        found = {name: value for name, value in proxies.items() if value}
        certificates = staging / _CERTIFICATES
        if certificates.is_file():
            public = next((path for path in _PUBLIC_BUNDLES if path.is_file()), None)
            if public is not None:
                certificates.write_bytes(public.read_bytes() + b"\n" + certificates.read_bytes())
            found["PIP_CERT"] = str(certificates)
        return found

    def _files(self, entry: str, round_name: str, platform: str) -> tuple[ContextFile, ...]:
        if entry not in self._entries:
            raise unknown("image", entry, self._entries)
        key = (entry, round_name, platform)
        if key not in self._rendered:
            self._rendered[key] = render(self._entries[entry], round_name, platform, tree=self._tree)
        wanted = {_REQUIREMENTS, *_SEEDS}
        files = self._rendered[key].files
        return tuple(file for file in files if file.path in wanted or file.path.startswith(_CODE))

    def _folder(self, wanted: PlannedImage) -> Path:
        identity = hashlib.sha256(f"{wanted.recipe}\n{_python()}\n{sys.base_prefix}\n".encode()).hexdigest()
        return self._cache / "native" / identity

    def _ready(self, wanted: PlannedImage, folder: Path, origin: str) -> ReadyImage:
        return ReadyImage(
            handle=str(folder),
            image_id=f"env:{folder.name}",
            reference=str(folder),
            identity=folder.name,
            platform=wanted.platform,
            origin=origin,
            base_origin=f"this machine's {_python()}",
        )

    @staticmethod
    def _refuse_images(wanted: PlannedImage) -> None:
        if wanted.choice.reference is not None or wanted.choice.base is not None:
            raise ImageError(
                "the native engine runs no images, so --image and --base-image mean nothing to it",
                hint="leave them out, or use --engine docker",
            )


_PUBLIC_BUNDLES = tuple(
    Path(name)
    for name in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")
)


def _python() -> str:
    return f"{host_platform.python_implementation()} {host_platform.python_version()}"


def _write(folder: Path, files: tuple[ContextFile, ...]) -> None:
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)


def _create(folder: Path) -> Path:
    import venv

    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    return folder / "bin" / "python"


def _call(entry: str, argv: tuple[str, ...], environment: Mapping[str, str], log: Output) -> None:
    tail = Tail(log)
    if stream(argv, tail.take, environment=environment):
        raise failure(f"{entry} (native)", None, tail.lines)
