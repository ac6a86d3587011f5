"""What a clone of the user's holds that the round's revision does not, as text. Reads the clone; never changes it."""

from __future__ import annotations

from pathlib import Path

from orchestrator.domain.image import SourceRepository
from orchestrator.host.git import argv, git
from orchestrator.host.process import stream
from orchestrator.images.sources import Clone

LARGEST_DIFF_BYTES = 32 << 20
_DIFF = ("diff", "--no-color", "--no-ext-diff", "--no-textconv", "--full-index", "--submodule=short")
_NAMED_UNTRACKED = 50


def difference(source: SourceRepository, revision: str | None, where: Path, *, image: str) -> bytes:
    """A head that says what is compared, then git's diff of the parts that the image takes; UTF-8 or as files are.

    Against the round's `revision` where the clone has it, else against the clone's own commit.
    """
    clone = Clone.open(source, where)
    base = clone.resolved(revision)
    known = base is not None and git(clone.folder, "cat-file", "-e", f"{base}^{{commit}}").ok
    against = base if known and base is not None else clone.commit
    head = [
        f"# source '{source.name}' of image {image}: {clone.folder} at {clone.commit}"
        + ("" if clone.tree is None else ", its work tree"),
        f"# upstream: {source.url}; the round's revision: {revision or 'not known'}",
        f"# against: {against}" + ("" if known else " (the clone does not have the round's revision)"),
    ]
    ends = (against,) if clone.tree is not None else (against, clone.commit)
    text = _diff(clone, "--binary", ends)
    if len(text) > LARGEST_DIFF_BYTES:
        head.append(f"# the difference is {len(text)} bytes long: only its summary is kept")
        text = _diff(clone, "--stat=200", ends)
    if not text:
        head.append("# no tracked file differs")
    head += [f"# not tracked, and not in the image: {name}" for name in _untracked(clone)]
    return "".join(f"{line}\n" for line in head).encode() + text


def _diff(clone: Clone, form: str, ends: tuple[str, ...]) -> bytes:
    pieces: list[bytes] = []
    code = stream(argv(clone.folder, *_DIFF, form, *ends, "--", *clone.source.paths), pieces.append)
    return b"".join(pieces) if code == 0 else b"# git diff failed: " + b"".join(pieces)


def _untracked(clone: Clone) -> list[str]:
    if clone.tree is None:
        return []
    listed = git(clone.folder, "ls-files", "--others", "--exclude-standard", "-z", "--", *clone.source.paths)
    names = [name for name in listed.stdout.split("\0") if name]
    left = len(names) - _NAMED_UNTRACKED
    return [*names[:_NAMED_UNTRACKED], *([f"and {left} more"] if left > 0 else [])]
