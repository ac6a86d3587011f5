"""Files of a public git repository at one commit, through the user's git: what git fetched is checked by its hashes.

Runs no hook, no filter and no helper that asks for a password; files come out as the commit holds them, byte by byte.
"""

from __future__ import annotations

import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from orchestrator.assets.archive_guard import Guard, Limits, guarded, safe_name
from orchestrator.assets.kit import Kit
from orchestrator.assets.names import some
from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.redact import redact
from orchestrator.domain.source import GitTree
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.git import EXECUTABLE, LINK, NOT_FOUND, SUBMODULE, Blob, Tracked, blobs, git, tracked
from orchestrator.host.process import Completed
from orchestrator.host.retry import transient

_COMMIT = re.compile(r"[0-9a-f]{40}")
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
_POINTER_BYTES = 1024
_LONGEST_LINK = 4096
# the commit's hash covers all of it: there is nothing a bomb could hide in but size, and the disk's room is watched
_LIMITS = Limits(free_bytes=1 << 50, free_files=1 << 30)
_NO_QUESTIONS: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "true",
    "SSH_ASKPASS": "true",
    "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    "GIT_ALLOW_PROTOCOL": "https:http:git:ssh:file",
}
_SETTINGS = tuple(
    word
    for setting in (
        "credential.helper=",
        f"core.hooksPath={os.devnull}",
        "gc.auto=0",
        "maintenance.auto=0",
        "http.lowSpeedLimit=1000",
        "http.lowSpeedTime=60",
    )
    for word in ("-c", setting)
)
_NETWORK = re.compile(
    r"Could not resolve host|Failed to connect|Connection (?:refused|reset|timed out)|Operation timed out|"
    r"Operation too slow|early EOF|RPC failed|unexpected disconnect|the remote end hung up|HTTP (?:429|5\d\d)|"
    r"returned error: (?:429|5\d\d)|timed out|Temporary failure",
    re.IGNORECASE,
)
_NOT_OFFERED = re.compile(r"not our ref|unadvertised object|couldn't find remote ref|upload-pack: not our ref")


def fill_from_git(asset: Asset, source: GitTree, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch the commit (without its history where the server allows) and write its files."""
    if not _COMMIT.fullmatch(source.commit):
        raise AssetError(f"'{source.commit}' is no commit: 40 hex digits are", hint="branches and tags move")
    kit.say(f"fetching '{asset.name}' from {_shown(source.repository)} at {source.commit[:12]} with git")
    with workspace(kit.scratch, f"git-{asset.name}-{source.commit[:12]}") as work:
        clone = work / "clone.git"
        clone.mkdir()
        fetch = _Fetch(source, clone, kit)
        fetch.start()
        transient(fetch.commit, say=kit.say, attempts=kit.line.attempts, first_wait_s=kit.line.first_wait_s)
        files = transient(fetch.files, say=kit.say, attempts=kit.line.attempts, first_wait_s=kit.line.first_wait_s)
        return fetch.write(files, made)


class _Fetch:
    """One commit of one repository, on its way through a bare clone of our own."""

    def __init__(self, source: GitTree, clone: Path, kit: Kit) -> None:
        self._source, self._clone, self._kit = source, clone, kit
        self._label = _shown(source.repository)
        self._environment = _environment(kit.line.environment)

    def start(self) -> None:
        """An empty clone, with nothing of the user's templates in it."""
        self._check(self._git("init", "--quiet", "--bare", "--template="))
        self._check(self._git("config", "remote.origin.url", self._source.repository))

    def commit(self) -> None:
        """Bring the commit; without its history, and without the files that are not wanted, where the server can."""
        lean = ("--filter=blob:none",) if self._source.paths else ()
        done = self._get("--depth=1", *lean, self._source.commit)
        if not done.ok and _NOT_OFFERED.search(done.stderr):
            self._kit.say(f"{self._label} gives no single commits: fetching its whole history")
            done = self._get("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        self._check(done)
        if not self._git("cat-file", "-e", f"{self._source.commit}^{{commit}}").ok:
            raise AssetError(
                f"{self._label} has no commit {self._source.commit}",
                hint="it may have been removed by a rewritten history; give a copy with --asset NAME=PATH",
            )

    def files(self) -> list[Tracked]:
        """The tracked files below the wanted paths, their content here."""
        wanted = tuple(path.rstrip("/") for path in self._source.paths)
        listed = self._git("ls-tree", "-r", "-z", "--full-tree", self._source.commit, "--", *wanted)
        self._check(listed)
        files = tracked(listed.stdout)
        for path in wanted:
            if not any(file.path == path or file.path.startswith(f"{path}/") for file in files):
                raise AssetError(f"{self._label} has no '{path}' at {self._source.commit[:12]}")
        modules = [file.path for file in files if file.mode == SUBMODULE]
        if modules:
            self._kit.say(f"left out, because they are other repositories: {some(modules)}")
        files = [file for file in files if file.mode != SUBMODULE]
        self._complete({file.name for file in files})
        return files

    def write(self, files: list[Tracked], made: Path) -> tuple[FileHash, ...]:
        """The files as the commit has them; pointers of git LFS are refused."""
        pointers: list[str] = []
        with guarded(made, label=self._label, archive_bytes=0, limits=_LIMITS) as guard:
            with blobs(self._clone, [file.name for file in files]) as found:
                for file in files:
                    blob = next(found, None)
                    if blob is None or blob.missing:
                        raise AssetError(f"{self._label} did not give '{file.path}'", hint="try again")
                    _place(file, blob, guard, pointers)
            if pointers:
                raise AssetError(
                    f"{self._label} holds only pointers (git LFS) in place of: {some(pointers)}",
                    hint="fetch them with `git lfs pull` in a clone of your own, and give it with --asset NAME=PATH",
                )
        return guard.hashes

    def _complete(self, wanted: set[str]) -> None:
        """Bring the wanted objects that the first fetch left out, all at once."""
        if not self._source.paths:
            return
        listed = self._git("rev-list", "--objects", "--missing=print", "--no-object-names", self._source.commit)
        self._check(listed)
        missing = {line[1:] for line in listed.stdout.split() if line.startswith("?")} & wanted
        if missing:
            names = "".join(f"{name}\n" for name in sorted(missing)).encode()
            self._check(self._get("--filter=blob:none", "--stdin", stdin=names))

    def _get(self, *what: str, stdin: bytes | None = None) -> Completed:
        # git bounds the time: a transfer that stalls ends
        words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--recurse-submodules=no", "origin")
        options = [word for word in what if word.startswith("--")]
        names = [word for word in what if not word.startswith("--")]
        return self._git(*words[:-1], *options, words[-1], *names, stdin=stdin, timeout_s=None)

    def _git(self, *words: str, stdin: bytes | None = None, timeout_s: float | None = 600) -> Completed:
        return git(self._clone, *_SETTINGS, *words, environment=self._environment, stdin=stdin, timeout_s=timeout_s)

    def _check(self, done: Completed) -> None:
        """AssetError for a git that failed, in the words it said last, without any login of the address."""
        if done.ok:
            return
        if done.code == NOT_FOUND:
            raise AssetError("this machine has no git", hint="install git, or give the files with --asset NAME=PATH")
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        fatal = [line for line in said if line.startswith(("fatal:", "error:"))]
        last = (fatal or said or ["it said nothing"])[-1].replace(self._source.repository, self._label)
        words = redact(last.encode()).decode("utf-8", "replace")
        if _NETWORK.search(done.stderr):
            raise TransientAssetError(f"{self._label}: {words}")
        hint = "a private repository? make it readable to your git (ssh key), or give a copy with --asset NAME=PATH"
        raise AssetError(f"git could not fetch {self._label}: {words}", hint=hint)


def _place(file: Tracked, blob: Blob, guard: Guard, pointers: list[str]) -> None:
    path = safe_name(file.path, label=guard.label)
    if file.mode == LINK:
        if blob.size_bytes > _LONGEST_LINK:
            raise guard.refuse(file.path, "it is a link with an unreadable target")
        guard.symbolic_link(path, blob.read().decode("utf-8", "surrogateescape"))
        return
    if blob.size_bytes < _POINTER_BYTES:
        content = blob.read()
        if content.startswith(_POINTER):
            pointers.append(file.path)
        guard.file(path, io.BytesIO(content), executable=file.mode == EXECUTABLE)
        return
    guard.file(path, cast(IO[bytes], blob), executable=file.mode == EXECUTABLE)


def _environment(line: Mapping[str, str]) -> dict[str, str]:
    bundle = line.get("PIP_CERT")
    proxies = {name: value for name, value in line.items() if name.endswith("_proxy")}
    return {**_NO_QUESTIONS, **proxies, **({"GIT_SSL_CAINFO": bundle} if bundle else {})}


def _shown(repository: str) -> str:
    """The address without a login that may stand in it."""
    try:
        parts = urlsplit(repository)
        host = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    except ValueError:
        return "(not an address)"
    return f"{parts.scheme}://{host or ''}{parts.path}" if parts.scheme else repository
