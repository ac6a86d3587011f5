"""Make an editable clone of a source repository at one revision, with the user's git; never into what is there."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from orchestrator.domain.image import SourceRepository
from orchestrator.domain.ports import Output
from orchestrator.domain.redact import redact_address, redact_text
from orchestrator.errors import ImageError, UsageError
from orchestrator.host.git import NOT_FOUND, git
from orchestrator.host.process import run, stream

_COMMIT = re.compile(r"[0-9a-f]{40}")
_NOT_OFFERED = re.compile(rb"not our ref|unadvertised object|couldn't find remote ref|no such remote ref")
_KEPT_BYTES = 4096
_SHOWN_LINES = 4


def checkout(
    source: SourceRepository,
    revision: str,
    folder: Path,
    *,
    upstream: str | None = None,
    environment: Mapping[str, str],
    output: Output,
    live: bool = False,
) -> str:
    """Clone into `folder` (absent or empty) on a branch of its own at the revision; the commit it is at.

    Only that revision's files come, without the history where the server allows. `upstream`: another address or clone
    to fetch from; `origin` is the source's own either way. `live`: `output` is a terminal, to be shown progress.
    ImageError says what git said; then nothing is left.
    """
    refuse_used(folder)
    if run(("git", "--version")).code == NOT_FOUND:
        raise ImageError("this machine has no git", hint="install git: clones are made with it")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", hint="choose another place") from error
    try:
        made.chmod(0o755)
        commit = _Making(source, revision, made, upstream or source.url, environment, output, live).carry_out()
        if folder.exists():
            folder.rmdir()
        made.rename(folder)
    except OSError as error:
        raise UsageError(f"{folder}: {error.strerror}", hint="choose another place") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
    return commit


def refuse_used(folder: Path) -> None:
    """UsageError where something is in the way."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is there already, and is no folder", hint="name a folder that is not there yet")
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty", hint="name a folder that is not there yet; what is there is kept")


class _Making:
    """One clone on its way."""

    def __init__(  # noqa: PLR0917
        self,
        source: SourceRepository,
        revision: str,
        made: Path,
        upstream: str,
        environment: Mapping[str, str],
        output: Output,
        live: bool,
    ) -> None:
        self._source, self._revision, self._made, self._upstream = source, revision, made, upstream
        self._live = live
        self._environment = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", **environment}
        self._output = output
        self._said = b""

    def carry_out(self) -> str:
        """Fetch, check out, add the submodules that are needed."""
        self._must("init", "--quiet")
        self._must("remote", "add", "origin", self._source.url)
        self._fetch()
        branch = f"mlperf-docker-{re.sub('[^A-Za-z0-9.]+', '-', self._revision)[:40].strip('.-')}"
        self._must("checkout", "--quiet", "-b", branch, self._found())
        if self._source.submodules:
            self._must("submodule", "update", "--init", "--depth", "1", "--", *self._source.submodules)
        return git(self._made, "rev-parse", "HEAD").stdout.strip()

    def _fetch(self) -> None:
        """The revision alone; where the server gives no single commits, everything."""
        wanted = (
            (self._revision,)
            if _COMMIT.fullmatch(self._revision)
            else tuple(
                f"refs/{kind}/{self._revision}:{place}{self._revision}"
                for kind, place in (("tags", "refs/tags/"), ("heads", "refs/remotes/origin/"))
            )
        )
        for one in wanted:
            code = self._git("fetch", *self._manner(), "--depth", "1", "--no-tags", self._upstream, one)
            if code == 0:
                return
            if not _NOT_OFFERED.search(self._said):
                raise self._failure("fetch", code)
        self._must("fetch", *self._manner(), "--tags", self._upstream, "+refs/heads/*:refs/remotes/origin/*")

    def _manner(self) -> tuple[str, ...]:
        return ("--progress",) if self._live else ("--quiet",)

    def _found(self) -> str:
        for name in (self._revision, f"refs/tags/{self._revision}", f"refs/remotes/origin/{self._revision}"):
            found = git(self._made, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
            if found.ok:
                return found.stdout.strip()
        raise ImageError(
            f"{redact_address(self._upstream)} has no revision '{self._revision}'",
            hint="name a tag, a branch or a whole commit: --revision",
        )

    def _git(self, *words: str) -> int:
        self._said = b""
        argv = ("git", "-c", "safe.directory=*", "-C", str(self._made), *words)
        return stream(argv, self._hear, environment=self._environment)

    def _must(self, *words: str) -> None:
        if code := self._git(*words):
            raise self._failure(words[0], code)

    def _failure(self, doing: str, code: int) -> ImageError:
        lines = redact_text(self._said.decode("utf-8", "replace")).replace("\r", "\n").strip().splitlines()
        said = "; ".join(line.strip() for line in lines[-_SHOWN_LINES:]) or f"exit code {code}"
        return ImageError(
            f"git {doing} of '{self._source.name}' from {redact_address(self._upstream)} failed: {said}",
            hint="check the network and proxy (--proxy), or fetch from a clone you have: --source NAME=CLONE",
        )

    def _hear(self, piece: bytes) -> None:
        self._said = (self._said + piece)[-_KEPT_BYTES:]
        self._output(piece)
