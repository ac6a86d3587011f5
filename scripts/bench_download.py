"""Measure a download with its hash against `curl` followed by `sha256sum`: whole processes, from nginx on loopback."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.unit.web_server import web_server  # noqa: E402 - the tests' nginx

FILE_BYTES = 2 << 30
_BLOCK_BYTES = 64 << 20
OURS = """
import sys
from pathlib import Path
from orchestrator.assets.credentials import NO_CREDENTIALS
from orchestrator.assets.transfer import Expected, Line, transfer

line = Line(environment={"no_proxy": "*"}, credentials=NO_CREDENTIALS)
got = transfer(
    (sys.argv[1],), Path(sys.argv[2]), name="file", expected=Expected(), line=line,
    say=print, meter=lambda what, done, total: None,
)
print(got.sha256)
"""


def download(pairs: int, scratch: Path) -> dict[str, object]:
    """Seconds of `curl` and `sha256sum`, and of our transfer, for 2 GiB; interleaved pairs, median of ratios."""
    with web_server(scratch / "nginx") as server:
        _make(server.files / "file.bin")
        url = f"{server.address}/file.bin"
        ratios, ours, theirs = [], [], []
        for pair in range(pairs + 1):
            plain_s, plain = _curl(url, scratch / "plain.bin")
            own_s, own = _own(url, scratch / "partial")
            if plain != own:
                raise SystemExit(f"hashes differ: {plain}, {own}")
            if pair == 0:
                continue  # warms the page cache
            theirs.append(plain_s)
            ours.append(own_s)
            ratios.append(plain_s / own_s)
    return {
        "file_bytes": FILE_BYTES,
        "curl_and_sha256sum_wall_s": round(statistics.median(theirs), 2),
        "transfer_wall_s": round(statistics.median(ours), 2),
        "speed_over_curl_and_sha256sum": round(statistics.median(ratios), 3),
        "speed_over_curl_and_sha256sum_all": [round(ratio, 3) for ratio in ratios],
        "pairs": pairs,
    }


def _make(path: Path) -> None:
    block = os.urandom(_BLOCK_BYTES)
    with path.open("wb") as file:
        for number in range(FILE_BYTES // _BLOCK_BYTES):
            file.write(number.to_bytes(8, "big") + block[8:])


def _curl(url: str, target: Path) -> tuple[float, str]:
    begun = time.perf_counter()
    _said(("curl", "--silent", "--fail", "--noproxy", "*", "-o", str(target), url))
    digest = _said(("sha256sum", str(target))).split()[0]
    took_s = time.perf_counter() - begun
    target.unlink()
    return took_s, digest


def _own(url: str, folder: Path) -> tuple[float, str]:
    begun = time.perf_counter()
    digest = _said((sys.executable, "-c", OURS, url, str(folder))).split()[-1]
    took_s = time.perf_counter() - begun
    for file in folder.iterdir():
        file.unlink()
    return took_s, digest


def _said(argv: Sequence[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]} ended with {done.returncode}: {done.stderr}")
    return done.stdout
