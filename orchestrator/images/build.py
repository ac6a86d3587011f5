"""Carry out a recipe: the engine's classic builder through the SDK, or BuildKit through a command line that has it.

One is chosen beforehand and never replaced by the other: a recipe that needs BuildKit is refused where there is none.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

from orchestrator.domain.ports import Output
from orchestrator.domain.redact import redact
from orchestrator.errors import ImageError, TransientImageError
from orchestrator.host.docker_api import engine_errors, engine_url
from orchestrator.host.process import run, stream
from orchestrator.images.context import pack_into
from orchestrator.images.render import DOCKERFILE, Rendered
from orchestrator.images.site_files import site_files

if TYPE_CHECKING:
    import docker

    from orchestrator.domain.site import Site

_KEPT_LINES = 12
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_STEP = re.compile(r"^Step \d+/\d+ : (?P<what>.*)|^#\d+ \[(?P<stage>[^\]]*)\] (?P<command>.*)")
_TRANSIENT = re.compile(
    r"temporary failure|connection (?:reset|timed out|broken)|read timed out|timeout awaiting|TLS handshake timeout"
    r"|incomplete ?read|unexpected EOF|\b50[234]\s+(?:Bad Gateway|Service|Gateway|Server Error)|too many requests"
    r"|newconnectionerror|remote end closed",
    re.IGNORECASE,
)
_LASTING = (  # no other try cures these, whatever else the text says
    ("CERTIFICATE_VERIFY_FAILED", "this network re-signs TLS: name its certificates with --ca-bundle FILE"),
    (
        "DO NOT MATCH THE HASHES",
        "the package index gave other files than were pinned: check the mirror in pip's settings",
    ),
    ("No matching distribution", "the package index lacks a pinned version: check the mirror in pip's settings"),
    ("No space left", "free space where the engine keeps its images: docker system df"),
)
_PASSING = (
    ("Name or service not known", "the build has no network: check the engine's DNS, or name a proxy with --proxy"),
    ("name resolution", "the build has no network: check the engine's DNS, or name a proxy with --proxy"),
    ("no such host", "the registry cannot be reached: scripts/engine makes a base image without one"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """One build: recipe, base as the builder is to name it, labels, the tag the result gets, and the site's network."""

    rendered: Rendered
    base: str
    tag: str
    labels: Mapping[str, str]
    site: Site
    fresh: bool = False

    @property
    def _requirements(self) -> str:
        """The lock files of Python packages, one after another."""
        texts = (file.content for file in self.rendered.context if file.path.endswith("requirements.txt"))
        return b"\n".join(texts).decode("utf-8", "replace")

    @contextmanager
    def tarball(self) -> Iterator[BinaryIO]:
        """The whole context as an open temporary file, the site's files for stages that are thrown away included."""
        with tempfile.TemporaryFile(prefix="mlperf-docker-context-") as packed:
            pack_into(packed, (*self.rendered.context, *site_files(self.site, self._requirements)))
            packed.seek(0)
            yield packed


class Builder(Protocol):
    """Something that builds an image on one engine."""

    @property
    def name(self) -> str:
        """How it is called in messages and records."""
        ...

    def build(self, request: BuildRequest, *, log: Output) -> str:
        """Build and tag; the new image's id. ImageError names the step that failed; transient ones may be retried."""
        ...


@dataclass(frozen=True, slots=True)
class ClassicBuilder:
    """The engine's own builder, through its API; leaves no trace of the context but in the stages of the recipe."""

    client: docker.DockerClient
    name: str = "classic builder"

    def build(self, request: BuildRequest, *, log: Output) -> str:
        """Build and tag; the new image's id."""
        from docker.errors import APIError

        refusals = _refusals(request.rendered.entry, APIError)
        with request.tarball() as packed, engine_errors("build an image"), refusals:
            events = self.client.api.build(
                fileobj=packed,
                custom_context=True,
                encoding=None,
                dockerfile=DOCKERFILE,
                tag=request.tag,
                decode=True,
                rm=True,
                forcerm=True,
                nocache=request.fresh,
                buildargs={"BASE": request.base},
                labels=dict(request.labels),
                network_mode=request.site.build_network,
            )
            _follow(cast(Iterator[Mapping[str, object]], events), request, log)
            return str(self.client.images.get(request.tag).id)


@dataclass(frozen=True, slots=True)
class BuildKitBuilder:
    """BuildKit through a Docker command line that carries it (`argv` up to and including `build`)."""

    client: docker.DockerClient
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    name: str = "BuildKit"

    def build(self, request: BuildRequest, *, log: Output) -> str:
        """Build and tag; the new image's id."""
        tail = Tail(log)
        with request.tarball() as packed:
            code = stream(
                (*self.argv, "--progress=plain", *_options(request), "-"),
                tail.take,
                environment=self.environment,
                stdin=packed,
            )
        if code:
            raise failure(request.rendered.entry, tail.step, tail.lines)
        with engine_errors("inspect the built image"):
            return str(self.client.images.get(request.tag).id)


def find_buildkit(client: docker.DockerClient, url: str | None) -> BuildKitBuilder | None:
    """A command line on this machine that can drive BuildKit, found by trying: `docker buildx`, then older clients."""
    environment = {"DOCKER_HOST": engine_url(url), "DOCKER_BUILDKIT": "1"}
    for program in _docker_programs():
        if run([program, "buildx", "version"], timeout_s=20).ok:
            return BuildKitBuilder(client, (program, "buildx", "build", "--load"), environment)
        if run([program, "build", "--help"], environment=environment, timeout_s=20).ok:
            return BuildKitBuilder(client, (program, "build"), environment)
    return None


def choose_builder(client: docker.DockerClient, url: str | None, *, needs_buildkit: bool, entry: str) -> Builder:
    """The builder for an entry; ImageError with the remedy when it needs BuildKit and no command line carries it."""
    if not needs_buildkit:
        return ClassicBuilder(client)
    found = find_buildkit(client, url)
    if found is None:
        raise ImageError(
            f"image '{entry}' needs BuildKit, and no docker command on this machine can drive it",
            hint="install Docker's buildx plugin, or Debian's docker.io whose client has BuildKit built in",
        )
    return found


def failure(entry: str, step: str | None, lines: Iterable[str]) -> ImageError:
    """The error of a failed build: the step, the last lines of its output, and a remedy where the text tells one."""
    last = [line for line in lines if line.strip()]
    text = redact("\n".join(last).encode()).decode()
    where = f" at step '{step}'" if step else ""
    shown = "".join(f"\n  | {line}" for line in text.splitlines())
    lasting = next((hint for sign, hint in _LASTING if sign.lower() in text.lower()), None)
    passing = next((hint for sign, hint in _PASSING if sign.lower() in text.lower()), None)
    kind = TransientImageError if lasting is None and _TRANSIENT.search(text) else ImageError
    hint = lasting or passing or "the whole output is in build.log"
    return kind(f"building image '{entry}' failed{where}{shown}", hint=hint)


@contextmanager
def _refusals(entry: str, refusal: type[Exception]) -> Iterator[None]:
    """A Dockerfile that cannot be parsed is refused before any step runs, by a status instead of an event."""
    try:
        yield
    except refusal as error:
        raise ImageError(
            f"the engine refused to build image '{entry}': {getattr(error, 'explanation', None) or error}",
            hint="correct its template; `mlperf-docker images render` shows the Dockerfile",
        ) from error


def _options(request: BuildRequest) -> Iterator[str]:
    if request.fresh:
        yield "--no-cache"
    if request.site.build_network:
        yield from ("--network", request.site.build_network)
    for name, value in sorted(request.labels.items()):
        yield from ("--label", f"{name}={value}")
    yield from ("--build-arg", f"BASE={request.base}", "--tag", request.tag)


def _follow(events: Iterator[Mapping[str, object]], request: BuildRequest, log: Output) -> None:
    """Read to the end also after an error, so that the engine's connection is given back."""
    tail = Tail(log)
    failed = False
    for event in events:
        if "stream" in event:
            tail.take(str(event["stream"]).encode())
        elif "error" in event:
            tail.take(f"{event['error']}\n".encode())
            failed = True
        elif "status" in event and "progressDetail" not in event:
            tail.take(f"{event.get('id', '')} {event['status']}\n".lstrip().encode())
    if failed:
        raise failure(request.rendered.entry, tail.step, tail.lines)


class Tail:
    """Passes output on, remembering the step it is in and its last lines, free of colours."""

    def __init__(self, log: Output) -> None:
        self._log = log
        self._rest = ""
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.step: str | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines of the step."""
        return (*self._lines, self._rest)

    def take(self, piece: bytes) -> None:
        """One piece of output, whole lines or not."""
        self._log(piece)
        *whole, self._rest = (self._rest + _ANSI.sub("", piece.decode("utf-8", "replace"))).split("\n")
        for line in whole:
            found = _STEP.match(line)
            if found:
                self.step = found["what"] or found["command"]
                self._lines.clear()
            else:
                self._lines.append(line)


def _docker_programs() -> tuple[str, ...]:
    """Every docker command on PATH, in its order: an old one with BuildKit may stand behind a new one without."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    candidates = (Path(folder or ".", "docker") for folder in folders)
    return tuple(dict.fromkeys(str(path) for path in candidates if path.is_file() and os.access(path, os.X_OK)))
