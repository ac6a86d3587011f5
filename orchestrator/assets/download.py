"""Fetch one file by http(s): addresses in order, a cut transfer resumed, hash checked. Knows nothing of the cache."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from orchestrator.domain.ports import Say
from orchestrator.domain.source import Download
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.retry import transient

if TYPE_CHECKING:
    import requests

_PIECE_BYTES = 1 << 16  # what a cut may cost at most
_CONNECT_S, _SILENCE_S = 15.0, 60.0
_SAY_EVERY_S = 10.0
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_OK, _PARTIAL, _RANGE_NOT_SATISFIABLE = 200, 206, 416


def fetch_file(source: Download, folder: Path, *, environment: Mapping[str, str], say: Say, attempts: int = 4) -> Path:
    """Download into `folder` under the file's own name and return it; its hash is right where one is pinned.

    Each address is tried `attempts` times for what may pass (a cut, a busy server), then the next one. `environment`
    holds proxies and `PIP_CERT`. AssetError names every address and why it failed; a wrong hash names both.
    """
    failures = []
    for url in source.urls:
        target = folder / (PurePosixPath(urlsplit(url).path).name or "download")
        try:
            transient(lambda u=url, t=target: _attempt(u, t, environment, say), say=say, attempts=attempts)  # type: ignore[misc]
            _check(source, target, url)
        except AssetError as error:
            target.unlink(missing_ok=True)
            failures.append(f"{url}: {error.cause}")
            continue
        return target
    raise AssetError(
        "; ".join(failures), hint="check the network, or get the file yourself and give it with --asset NAME=PATH"
    )


def _attempt(url: str, target: Path, environment: Mapping[str, str], say: Say) -> None:
    import requests

    have = target.stat().st_size if target.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    proxies = {kind: environment[f"{kind}_proxy"] for kind in ("http", "https") if f"{kind}_proxy" in environment}
    try:
        with requests.get(
            url,
            headers=headers,
            stream=True,
            timeout=(_CONNECT_S, _SILENCE_S),
            proxies=proxies or None,
            verify=environment.get("PIP_CERT", True),
        ) as answer:
            _refuse(answer, have)
            _take(answer, target, append=answer.status_code == _PARTIAL, say=say)
    except requests.exceptions.SSLError as error:
        raise AssetError(f"the certificate is not trusted ({_brief(error)})", hint="--ca-bundle names yours") from error
    except requests.exceptions.InvalidURL as error:
        raise AssetError(f"not an address: {_brief(error)}") from error
    except (requests.exceptions.RequestException, OSError) as error:
        raise TransientAssetError(f"the transfer broke off ({_brief(error)})") from error


def _refuse(answer: requests.Response, have: int) -> None:
    status = answer.status_code
    if status in _BUSY:
        raise TransientAssetError(f"the server answered {status}")
    if status == _RANGE_NOT_SATISFIABLE and have:
        return  # all of it is here already; the hash will tell
    if status not in {_OK, _PARTIAL}:
        raise AssetError(f"the server answered {status} {answer.reason}")


def _take(answer: requests.Response, target: Path, *, append: bool, say: Say) -> None:
    if answer.status_code == _RANGE_NOT_SATISFIABLE:
        return
    done = target.stat().st_size if append else 0
    length = answer.headers.get("Content-Length", "")
    total = done + int(length) if length.isdigit() else None
    begun, said, first = time.monotonic(), time.monotonic(), done
    with target.open("ab" if append else "wb") as file:
        for piece in answer.iter_content(_PIECE_BYTES):
            file.write(piece)
            done += len(piece)
            if time.monotonic() - said >= _SAY_EVERY_S:
                said = time.monotonic()
                say(_progress(target.name, done, total, (done - first) / (said - begun)))
    if total is not None and done < total:
        raise TransientAssetError(f"the transfer ended after {done} of {total} bytes")


def _progress(name: str, done: int, total: int | None, rate: float) -> str:
    if total is None:
        return f"{name}: {done / 1e6:.0f} MB at {rate / 1e6:.1f} MB/s"
    left_s = (total - done) / rate if rate else float("inf")
    return f"{name}: {done / 1e6:.0f} of {total / 1e6:.0f} MB at {rate / 1e6:.1f} MB/s, {left_s:.0f} s left"


def _check(source: Download, path: Path, url: str) -> None:
    for kind, expected in (("sha256", source.sha256), ("md5", source.md5)):
        if expected is None:
            continue
        digest = hashlib.new(kind, usedforsecurity=False)
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
        if digest.hexdigest() != expected:
            raise AssetError(
                f"what {url} sent is not the pinned file: expected {kind} {expected}, found {digest.hexdigest()}"
            )


def _brief(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text if len(text) <= 160 else text[:157] + '...'}"
