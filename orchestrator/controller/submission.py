"""Check a submission tree by the catalogue's rules of a round."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from pathlib import Path, PurePosixPath

from orchestrator.config.catalog import benchmark_names, load_benchmark, load_round
from orchestrator.domain.suggest import unknown
from orchestrator.errors import UsageError
from orchestrator.host.trees import FolderTree
from orchestrator.submission.check.rules import ModelRules, Ruleset
from orchestrator.submission.check.walk import Checked, check_tree


def ruleset(round_name: str) -> Ruleset:
    """What results of a round are held against: all its models, as the checker names them."""
    round_ = load_round(round_name)
    if round_.layout is None:
        raise UsageError(
            f"the form of round {round_.name}'s submission trees is unknown", hint="choose another --round"
        )
    models: dict[str, ModelRules] = {}
    aliases: dict[str, str] = {}
    for name in benchmark_names():
        benchmark = load_benchmark(name)
        rules = benchmark.rules.get(round_.name)
        official = benchmark.checker_model
        if rules is None or official is None or benchmark.open_only or official in models:
            continue
        script = benchmark.accuracy_script
        lines = {metric: re.compile(pattern) for metric, pattern in (script.lines if script else {}).items()}
        models[official] = ModelRules(name=official, rules=rules, lines=lines)
        aliases.update(dict.fromkeys((benchmark.name, *benchmark.aliases), official))
    return Ruleset(round=round_, models=models, aliases=aliases)


def check_submission(
    tree: Path, round_name: str, *, submitter: str | None = None, left_out: Path | None = None
) -> Checked:
    """All findings about the tree of a submission; UsageError when it is none.

    `left_out` lists files that belong to the tree and are not in this copy: lines of bytes, tab, path (may be gzipped).
    """
    found = FolderTree(tree, _absent(left_out) if left_out is not None else {})
    there = {name for division in found.folder("").folders for name in found.folder(division).folders}
    if submitter is not None and submitter not in there:
        raise unknown("submitter", submitter, there)
    workers = len(os.sched_getaffinity(0))
    return check_tree(found, ruleset(round_name), submitter=submitter, workers=workers)


def _absent(listing: Path) -> dict[PurePosixPath, int]:
    """Files and their bytes (0 where unknown) from a listing; UsageError names the line that is none."""
    try:
        raw = listing.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise UsageError(
            f"{listing} cannot be read: {error}", hint="lines of bytes, tab, path; may be gzipped"
        ) from error
    found = {}
    for at, line in enumerate(text.splitlines(), start=1):
        size, tab, name = line.partition("\t")
        if not tab or not name:
            raise UsageError(
                f"{listing}:{at}: not a line of bytes, tab, path", hint="write one such line for each file"
            )
        found[PurePosixPath(name)] = int(size) if size.isdigit() else 0
    return found
