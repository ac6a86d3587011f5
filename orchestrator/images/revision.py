"""Which revision of mlperf-docker's own source makes an image. Asks git; changes nothing."""

from __future__ import annotations

import functools
from pathlib import Path

from orchestrator.host.process import run
from orchestrator.host.shipped import shipped


@functools.cache
def source_revision() -> str | None:
    """The commit of this checkout, `-modified` where tracked files differ; None for an installed package."""
    root = shipped("images.yaml").parent
    told = run(("git", "-C", str(root), "rev-parse", "--show-toplevel", "HEAD"), timeout_s=20)
    lines = told.stdout.split("\n")
    if not told.ok or len(lines) < 2 or Path(lines[0]).resolve() != root.resolve():
        return None
    changed = run(
        ("git", "--no-optional-locks", "-C", str(root), "status", "--porcelain", "--untracked-files=no"), timeout_s=60
    )
    return lines[1] + ("-modified" if not changed.ok or changed.stdout.strip() else "")
