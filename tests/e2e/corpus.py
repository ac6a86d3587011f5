"""A whole published round (v5.1) to check and import, where it is at hand; never part of the project."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.host.process import run

VARIABLE = "MLPERF_RESULTS_V51_ARCHIVE"
_NEAR = Path(__file__).parents[2].parent / "shared/data/inference_results_v5.1.tar.zst"
_APT = ("env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "-qq", "--no-install-recommends", "zstd")


@dataclass(frozen=True)
class Corpus:
    """The unpacked tree, the list of what was left out of it, and the round's own summary."""

    tree: Path
    left_out: Path

    @property
    def summary(self) -> Path:
        """What was published: one entry for each result."""
        return self.tree / "summary_results.json"


def unpacked(folder: Path) -> Corpus:
    """Unpack the archive into `folder`; the test is skipped, with a message, where there is none."""
    archive = Path(os.environ.get(VARIABLE, _NEAR))
    if not archive.is_file():
        pytest.skip(f"no archive of round v5.1's results at hand; {VARIABLE} names one")
    if shutil.which("zstd") is None and os.geteuid() == 0:
        run(_APT, timeout_s=300)
    if shutil.which("zstd") is None:
        pytest.skip("zstd is missing, which unpacks the archive (Debian's package zstd)")
    done = run(
        ("tar", "--use-compress-program", "zstd -d --long=27", "-xf", str(archive), "-C", str(folder)), timeout_s=300
    )
    assert done.ok, done.stderr
    return Corpus(tree=folder, left_out=archive.with_name("inference_results_v5.1.left-out.tsv.gz"))
