"""What a tree may hold at all: names, sizes, links, files that do not belong. Pure but for the tree."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.domain.submission import Fault, Weight
from orchestrator.domain.terms import Division
from orchestrator.host.trees import Folder, FolderTree
from orchestrator.submission.check.rules import Ruleset, origin_of

LARGEST_BYTES = 50 << 20
_ROOT_FILES = (".md", ".pdf")
_HIDDEN = frozenset({".gitkeep", ".gitignore"})
_TREES = frozenset({"results", "measurements", "compliance"})
_DIVISIONS = frozenset(division.value for division in Division)


def hygiene(tree: FolderTree, rules: Ruleset, submitter: str | None) -> Iterator[Fault]:
    """Findings about a whole tree, or one submitter's part of it, top first."""
    say = _Say(rules)
    for name in tree.folder("").files:
        if not name.endswith(_ROOT_FILES):
            yield say.warning("root_extra", PurePosixPath(name), "only .md and .pdf files lie at the top", "move it")
    for path, folder in tree.all_folders():
        parts = path.parts
        if parts and parts[0] in _DIVISIONS and (not submitter or len(parts) < 2 or parts[1] == submitter):
            yield from _folder(say, path, folder)
    for division in sorted(_DIVISIONS):
        for name in tree.folder(division).folders:
            if not submitter or name == submitter:
                yield from _idle(say, tree, PurePosixPath(division, name))


class _Say:
    """Makes findings about no result in particular."""

    def __init__(self, rules: Ruleset) -> None:
        self._round = rules.round.name

    def fault(self, code: str, path: PurePosixPath, text: str, remedy: str, weight: Weight = Weight.FAULT) -> Fault:
        origin = origin_of(code, self._round)
        return Fault(code=code, origin=origin, weight=weight, place=None, path=path, text=text, remedy=remedy)

    def warning(self, code: str, path: PurePosixPath, text: str, remedy: str) -> Fault:
        return self.fault(code, path, text, remedy, Weight.WARNING)


def _folder(say: _Say, path: PurePosixPath, folder: Folder) -> Iterator[Fault]:
    for name in (*folder.folders, *folder.files, *folder.links):
        hidden = name.startswith(".") and name not in _HIDDEN
        if " " in name or hidden or name == "__pycache__":
            text = "names with blanks, hidden files and caches do not belong in a submission"
            yield say.warning("name", path / name, text, "rename or remove it")
    for name in folder.links:
        yield say.fault("link", path / name, "it is a link", "put the file itself there")
    for name, size in folder.files.items():
        if size > LARGEST_BYTES:
            text = f"it has {size / 1e6:.0f} MB; 50 MiB are allowed"
            yield say.fault("file_too_big", path / name, text, "leave it out or cut it")
    empty = not folder.folders and not folder.files and not folder.links
    if empty and len(path.parts) > 2 and path.parts[2] in _TREES:
        yield say.warning("empty_folder", path, "the folder is empty", "remove it")


def _idle(say: _Say, tree: FolderTree, top: PurePosixPath) -> Iterator[Fault]:
    """Systems that are described and have no result."""
    with_results = set(tree.folder(top / "results").folders)
    for file in tree.folder(top / "systems").files:
        if file.endswith(".json") and file.removesuffix(".json") not in with_results:
            path = top / "systems" / file
            yield say.warning("system_without_results", path, "the system has no results", "remove it, or add them")
