"""The cache's figures: a full check of many small files against sha256sum, and a list of a thousand assets."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_FILES, _FILE_BYTES = 50_000, 4096
_ENTRIES = 1000


def cache(command: str, pairs: int, folder: Path) -> dict[str, object]:
    """`cache verify` of 50,000 files of 4 KiB against sha256sum by two processes; `cache show` of 1,000."""
    crowd, many = folder / "crowd", folder / "many"
    catalog = folder / "catalog"
    (catalog / "assets").mkdir(parents=True)
    (catalog / "assets" / "crowd.yaml").write_text(
        "name: crowd\nkind: dataset\nlicence: none\nsource: {kind: user, how: made by scripts/bench and by it alone}\n"
    )
    given = folder / "given"
    _make_files(given)
    here = {"MLPERF_DOCKER_CACHE": str(crowd), "MLPERF_DOCKER_CATALOG": str(catalog)}
    _wall_s((command, "cache", "import", "crowd", str(given), "--move"), here)
    (view,) = (crowd / "assets" / "crowd").iterdir()
    verify = (command, "cache", "verify", "crowd")
    theirs = ("sh", "-c", 'find "$0" -type f -print0 | xargs -0 -P2 -n 2000 sha256sum', str(view))
    for warm in (verify, theirs):
        _wall_s(warm, here)
    ratios = [_wall_s(theirs, here) / _wall_s(verify, here) for _ in range(pairs)]
    _make_entries(many)
    there = {"MLPERF_DOCKER_CACHE": str(many)}
    show = (command, "cache", "show")
    _wall_s(show, there)
    return {
        "verify_rate_over_sha256sum": round(statistics.median(ratios), 3),
        "verify_rate_over_sha256sum_all": [round(ratio, 3) for ratio in ratios],
        "verify_files": _FILES,
        "show_1000_wall_s": round(statistics.median(_wall_s(show, there) for _ in range(pairs)), 3),
        "pairs": pairs,
    }


def _make_files(folder: Path) -> None:
    for number in range(_FILES):
        path = folder / f"{number % 50:02}" / f"{number:05}.bin"
        if number < 50:
            path.parent.mkdir(parents=True)
        path.write_bytes(os.urandom(_FILE_BYTES))


def _make_entries(root: Path) -> None:
    """Assets as the cache writes them, each with a use, so that nothing has to be made again."""
    for number in range(_ENTRIES):
        name, key = f"asset-{number:04}", f"{number:064x}"[::-1]
        short = key[:16]
        about = {"name": name, "key": key, "trust": "pinned", "when": "2026-01-01T12:00:00+00:00"}
        file = {"name": "file", "sha256": key, "size_bytes": number, "mtime_ns": 0}
        view = root / "assets" / name / short
        view.mkdir(parents=True)
        manifest = {"schema_version": 1, "source": None, "files": [file], "learned": [], **about}
        (view / ".manifest.json").write_text(json.dumps(manifest))
        summary = {
            "schema_version": 1,
            "kind": "dataset",
            "origin": "scripts/bench",
            "size_bytes": number,
            "files": 1,
            "digest": key,
            **about,
        }
        use = {"when": "2026-02-01T12:00:00+00:00", "run": "run", "owner": "boot:1:1", "host": os.uname().nodename}
        for folder, text in (("entries", json.dumps(summary)), ("uses", json.dumps(use) + "\n")):
            (root / folder / name).mkdir(parents=True)
            (root / folder / name / f"{short}.json{'l' if folder == 'uses' else ''}").write_text(text)


def _wall_s(argv: Sequence[str], environment: Mapping[str, str]) -> float:
    begun = time.perf_counter()
    done = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)} ended with {done.returncode}: {done.stderr}")
    return time.perf_counter() - begun
