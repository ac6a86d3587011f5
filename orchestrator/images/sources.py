"""The repositories a recipe is built from: the user's clone as files of a build context, or what is to be fetched.

Reads clones through git, for tracked files alone; never changes them, and fetches nothing: that is the recipe's work.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.domain.benchmark import Round
from orchestrator.domain.image import ImageEntry, SourceRepository
from orchestrator.errors import ImageError
from orchestrator.host.git import EXECUTABLE, LINK, NOT_FOUND, SUBMODULE, Tracked, blobs, git, tracked
from orchestrator.images.context import ContextFile

LARGEST_SOURCE_BYTES = 2 << 30
SOURCE_FOLDER = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """What a recipe takes of a repository. `commit` is the clone's, or the revision that is fetched while building.

    `given`: from the user's clone; `modified`: tracked files of it differ from the commit; `revision`: what the round
    asks for (null where upstream names none). `name`, `url`, `paths` are the entry's. `lacking` are submodules that the
    clone has not checked out.
    """

    name: str
    url: str
    revision: str | None
    commit: str | None
    given: bool
    modified: bool = False
    paths: tuple[str, ...] = ()
    submodules: tuple[str, ...] = ()
    files: tuple[ContextFile, ...] = ()
    lacking: tuple[str, ...] = ()

    @property
    def described(self) -> str:
        """Commit and state in one line, for a label."""
        return f"{self.commit or 'unknown'}{' (modified)' if self.modified else ''}{' (given)' if self.given else ''}"

    @property
    def blocker(self) -> str | None:
        """Why a run with it cannot be submitted as closed, or None."""
        if self.modified:
            return f"source '{self.name}' has changes that no commit holds"
        if self.given and self.commit != self.revision:
            wanted = f"the round's {self.revision[:12]}" if self.revision else "a revision known to be the round's"
            return f"source '{self.name}' is at {(self.commit or 'no commit')[:12]}, not at {wanted}"
        if self.lacking:
            return f"source '{self.name}' lacks its submodule {', '.join(self.lacking)}"
        return None


def source_states(
    entry: ImageEntry, wanted: Round | None, given: tuple[tuple[str, Path], ...]
) -> tuple[SourceState, ...]:
    """Every repository of an entry, in its order. ImageError names a clone, revision or path that is not there."""
    chosen = dict(given)
    return tuple(
        _from_clone(source, revision_of(source, wanted), chosen[source.name])
        if source.name in chosen
        else _to_fetch(source, revision_of(source, wanted))
        for source in entry.sources
    )


def revision_of(source: SourceRepository, wanted: Round | None) -> str | None:
    """The revision that a round asks for: the source's own, else the round's; None where nobody knows it."""
    if source.ref is not None:
        return source.ref.replace("{round}", wanted.name) if wanted is not None else source.ref
    return (wanted.commit or wanted.tag) if wanted is not None else None


def _to_fetch(source: SourceRepository, revision: str | None) -> SourceState:
    return SourceState(
        name=source.name,
        url=source.url,
        revision=revision,
        commit=revision,
        given=False,
        paths=source.paths,
        submodules=source.submodules,
    )


def _from_clone(source: SourceRepository, revision: str | None, where: Path) -> SourceState:
    clone = Clone.open(source, where)
    parts = {name: clone.submodule(name) for name in source.submodules}
    found = (*clone.files(), *(file for part in parts.values() if part for file in part))
    return SourceState(
        name=source.name,
        url=source.url,
        revision=clone.resolved(revision),
        commit=clone.commit,
        given=True,
        modified=clone.modified(),
        paths=source.paths,
        submodules=source.submodules,
        files=tuple(sorted(found, key=lambda file: file.path)),
        lacking=tuple(name for name, part in parts.items() if part is None),
    )


@dataclass(frozen=True, slots=True)
class Clone:
    """A work tree, or the objects of a repository at a commit (`tree` None)."""

    source: SourceRepository
    folder: Path
    commit: str
    tree: Path | None

    @classmethod
    def open(cls, source: SourceRepository, where: Path) -> Clone:
        """Find the clone at `where`, which may end with `@REVISION`."""
        folder, revision = _split(where)
        if not folder.is_dir():
            raise _fault(
                source, f"{folder} is not a folder", "name a git clone: --source NAME=DIR or NAME=DIR@REVISION"
            )
        top = git(folder, "rev-parse", "--show-toplevel")
        bare = git(folder, "rev-parse", "--git-dir")
        if bare.code == NOT_FOUND:
            raise _fault(source, "this machine has no git", "install git: the tracked files of a clone are asked of it")
        tree = Path(top.stdout.strip()) if top.ok and top.stdout.strip() else None
        mine = tree.samefile(folder) if tree is not None else bare.ok and bare.stdout.strip() in (".", str(folder))
        if not mine:
            raise _fault(source, f"{folder} is no git clone", f"clone {source.url} and name the clone's top folder")
        found = git(folder, "rev-parse", "--verify", "--quiet", f"{revision or 'HEAD'}^{{commit}}")
        if not found.ok:
            raise _fault(
                source,
                f"the clone {folder} has no revision '{revision or 'HEAD'}'",
                "fetch it first: git fetch origin REVISION (a shallow clone holds one revision only)",
            )
        return cls(source, folder, found.stdout.strip(), tree if revision is None else None)

    def resolved(self, revision: str | None) -> str | None:
        """The commit of a revision, where the clone knows it; else the revision as it stands."""
        if revision is None:
            return None
        found = git(self.folder, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        return found.stdout.strip() if found.ok else revision

    def modified(self) -> bool:
        """Whether tracked files of the wanted paths differ from the commit."""
        if self.tree is None:
            return False
        done = git(self.folder, "status", "--porcelain", "--untracked-files=no", "--", *self.source.paths)
        return bool(done.stdout.strip()) or not done.ok

    def files(self) -> Iterator[ContextFile]:
        """The tracked files of the wanted paths, below `source/NAME/`."""
        listed = self._listed()
        for path in self.source.paths:
            wanted = path.rstrip("/")
            if not any(file.path == wanted or file.path.startswith(f"{wanted}/") for file in listed):
                raise _fault(
                    self.source,
                    f"the clone {self.folder} has no '{path}' at {self.commit[:12]}",
                    "name a clone at a revision of this round: --source NAME=DIR@REVISION",
                )
        yield from self._from_tree(listed) if self.tree is not None else self._from_objects(listed)

    def submodule(self, path: str) -> tuple[ContextFile, ...] | None:
        """The tracked files of a submodule, or None where it is not checked out (bare directories have none)."""
        if self.tree is None or not (self.tree / path / ".git").exists():
            return None
        whole = SourceRepository(name=self.source.name, url=self.source.url)
        inner = Clone(whole, self.folder / path, "", self.tree / path)
        prefix = f"{SOURCE_FOLDER}/{self.source.name}/"
        return tuple(replace(file, path=f"{prefix}{path}/{file.path.removeprefix(prefix)}") for file in inner.files())

    def _listed(self) -> list[Tracked]:
        """Every tracked file that is wanted; submodules are left out."""
        if self.tree is not None:
            done = git(self.folder, "ls-files", "-z", "--stage", "--", *self.source.paths)
        else:
            done = git(self.folder, "ls-tree", "-r", "-z", "--full-tree", self.commit, "--", *self.source.paths)
        if not done.ok:
            raise _fault(
                self.source, f"git cannot read {self.folder}: {done.stderr.strip()}", "check the clone: git fsck"
            )
        return [file for file in tracked(done.stdout) if file.mode != SUBMODULE]

    def _from_tree(self, listed: list[Tracked]) -> Iterator[ContextFile]:
        assert self.tree is not None  # noqa: S101 - the caller looked
        total = 0
        for file in listed:
            origin = self.tree / file.path
            if file.mode == LINK and origin.is_symlink():
                yield self._file(file.path, file.mode, str(origin.readlink()).encode())
            elif origin.is_file():
                total += origin.stat().st_size
                self._refuse_large(total)
                executable = origin.stat().st_mode & stat.S_IXUSR
                yield ContextFile(path=self._place(file.path), mode=0o755 if executable else 0o644, origin=origin)

    def _from_objects(self, listed: list[Tracked]) -> Iterator[ContextFile]:
        total = 0
        with blobs(self.folder, [file.name for file in listed]) as found:
            for file in listed:
                blob = next(found, None)
                if blob is None or blob.missing:
                    raise _fault(
                        self.source,
                        f"the clone {self.folder} lacks the content of '{file.path}' ({file.name[:12]})",
                        "it is a partial copy: fetch it whole, or leave it out of the entry's `paths`",
                    )
                total += blob.size_bytes
                self._refuse_large(total)
                yield self._file(file.path, file.mode, blob.read())

    def _file(self, path: str, mode: str, content: bytes) -> ContextFile:
        if mode == LINK:
            return ContextFile(path=self._place(path), mode=0o777, link=content.decode())
        return ContextFile(path=self._place(path), mode=0o755 if mode == EXECUTABLE else 0o644, content=content)

    def _place(self, path: str) -> str:
        return f"{SOURCE_FOLDER}/{self.source.name}/{path}"

    def _refuse_large(self, total_bytes: int) -> None:
        if total_bytes > LARGEST_SOURCE_BYTES:
            raise _fault(
                self.source,
                f"the tracked files of {self.folder} are more than {LARGEST_SOURCE_BYTES >> 30} GiB",
                "name the parts that are needed in the entry's `paths` (images.yaml)",
            )


def _split(where: Path) -> tuple[Path, str | None]:
    folder, at, revision = str(where).rpartition("@")
    return (Path(folder), revision) if at and folder and not where.exists() else (where, None)


def _fault(source: SourceRepository, cause: str, hint: str) -> ImageError:
    return ImageError(f"--source {source.name}: {cause}", hint=hint)
