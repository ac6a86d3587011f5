"""Fetch one pinned Debian package with the host's own apt: its mirrors, proxies and keys are in force.

Installs nothing, runs no script of the package, and needs no root; the caller verifies the hash again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from orchestrator.assets.archive import extract
from orchestrator.assets.kit import Kit, limits_of
from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import DebianPackage
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.process import run
from orchestrator.host.retry import transient

_NO_APT = 127
_UNKNOWN = re.compile(r"Unable to locate package|Version '.*' for '.*' was not found|Can't find a source to download")
_NETWORK = re.compile(
    r"Temporary failure resolving|Could not resolve|Could not connect|Connection (?:failed|timed out)|"
    r"Failed to fetch .*(?:50\d|429)|Unable to connect|Connection reset",
    re.IGNORECASE,
)


def fill_from_debian(asset: Asset, source: DebianPackage, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch the package once for all assets, and take the members out of it."""
    what = f"Debian package {source.package} {source.version}"

    def fetch(work: Path) -> Path:
        kit.say(f"fetching {what} ({source.size_bytes / 1e6:.1f} MB) with apt")
        attempt = partial(_attempt, source, work, kit.line.environment)
        return transient(attempt, say=kit.say, attempts=kit.line.attempts, first_wait_s=kit.line.first_wait_s)

    package = kit.blobs.ensure(source.sha256, what=what, fetch=fetch, say=kit.say)
    return extract(package, source.members, made, label=source.filename, limits=limits_of(asset))


def fetch_deb(source: DebianPackage, folder: Path, *, environment: Mapping[str, str]) -> Path:
    """Have apt put the package into `folder` (empty) and return it. AssetError says what the host's apt lacks."""
    wanted = f"{source.package}:{source.architecture}" if source.architecture != "all" else source.package
    done = run(
        ("apt-get", "--quiet", "download", f"{wanted}={source.version}"),
        cwd=folder,
        environment={"LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive", **environment},
    )
    if not done.ok:
        raise _failure(source, done.code, f"{done.stdout}\n{done.stderr}")
    found = sorted(folder.glob("*.deb"))
    if len(found) != 1:
        raise AssetError(f"apt said it had fetched {source.filename} but left {len(found)} packages")
    return found[0]


def _attempt(source: DebianPackage, work: Path, environment: Mapping[str, str]) -> Path:
    with workspace(work, "attempt") as folder:
        package = fetch_deb(source, folder, environment=environment)
        return package.replace(work / package.name)


def _failure(source: DebianPackage, code: int, said: str) -> AssetError:
    by_hand = f"or bring {source.filename} here, unpack it and give its files with --asset NAME=PATH"
    title = f"Debian package {source.package} {source.version}"
    if code == _NO_APT:
        return AssetError(f"this machine has no apt, which fetches {title}", hint=f"run on Debian or Ubuntu, {by_hand}")
    if _UNKNOWN.search(said):
        return AssetError(
            f"the apt of this machine knows no {title}",
            hint=f"`apt-get update` brings its lists up to date; another release has other versions: {by_hand}",
        )
    if _NETWORK.search(said):
        return TransientAssetError(f"no answer from apt's mirror while fetching {title}", hint=by_hand)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    errors = [line.removeprefix("E:").strip() for line in lines if line.startswith("E:")]
    return AssetError(f"apt could not fetch {title}: {(errors or lines or ['it said nothing'])[-1]}", hint=by_hand)
