"""Fetch one pinned npm package from the registry that the user's npm is set up for; with npm, or without it.

No registry is written down here: it is npm's own, or what npm's settings name. Runs no script of the package.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from shutil import which
from urllib.parse import quote

from orchestrator.assets.archive import extract
from orchestrator.assets.document import read_json
from orchestrator.assets.kit import Kit, limits_of
from orchestrator.assets.transfer import Expected
from orchestrator.assets.workspace import workspace
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import NpmPackage
from orchestrator.errors import AssetError, TransientAssetError
from orchestrator.host.files import sha256_file
from orchestrator.host.process import run
from orchestrator.host.retry import transient

_NETWORK = re.compile(r"\b(ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|E429|E50\d|ERR_SOCKET_TIMEOUT)\b")
_UNKNOWN = re.compile(r"\b(E404|ETARGET|ENOVERSIONS)\b")
_SETTING = re.compile(r"^\s*(?P<name>(?:@[^\s:=]+:)?registry)\s*=\s*\"?(?P<value>[^\s\"]+)\"?\s*$", re.MULTILINE)


def fill_from_npm(asset: Asset, source: NpmPackage, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Fetch the package once for all assets, and take the members out of it."""
    what = f"npm package {source.package} {source.version}"

    def fetch(work: Path) -> Path:
        kit.say(f"fetching {what} ({source.size_bytes / 1e6:.1f} MB) with npm")
        attempt = partial(_attempt, source, work, kit.line.environment)
        return transient(attempt, say=kit.say, attempts=kit.line.attempts, first_wait_s=kit.line.first_wait_s)

    if which("npm") is not None:
        package = kit.blobs.ensure(source.sha256, what=what, fetch=fetch, say=kit.say)
    else:
        package = _without_npm(source, what, kit)
    return extract(package, source.members, made, label=what, limits=limits_of(asset))


def fetch_with_npm(source: NpmPackage, folder: Path, *, environment: Mapping[str, str]) -> Path:
    """Have npm put the package into `folder` (empty) and return it."""
    done = run(
        ("npm", "pack", f"{source.package}@{source.version}", "--ignore-scripts", "--loglevel=error"),
        cwd=folder,
        environment={"npm_config_update_notifier": "false", **_npm_settings(environment)},
    )
    if not done.ok:
        raise _failure(source, f"{done.stdout}\n{done.stderr}")
    found = sorted(folder.glob("*.tgz"))
    if len(found) != 1:
        raise AssetError(f"npm said it had fetched {source.package} but left {len(found)} packages")
    return found[0]


def _attempt(source: NpmPackage, work: Path, environment: Mapping[str, str]) -> Path:
    with workspace(work, "attempt") as folder:
        return fetch_with_npm(source, folder, environment=environment).replace(work / "package.tgz")


def registry(package: str, environ: Mapping[str, str], home: Path) -> str | None:
    """The address that npm's settings name for a package: its scope's before all others; None where none is named."""
    settings = _settings_file(environ, home)
    scope = package.partition("/")[0] if package.startswith("@") else None
    named = environ.get("npm_config_registry") or environ.get("NPM_CONFIG_REGISTRY") or settings.get("registry")
    found = (settings.get(f"{scope}:registry") if scope else None) or named
    return found.rstrip("/") if found else None


def _without_npm(source: NpmPackage, what: str, kit: Kit) -> Path:
    if (there := kit.blobs.present(source.sha256)) is not None and sha256_file(there) == source.sha256:
        return there
    base = registry(source.package, {**os.environ, **kit.line.environment}, Path.home())
    if base is None:
        raise AssetError(
            f"this machine has no npm, which fetches {what}, and no setting names a registry",
            hint="install npm, or set npm_config_registry to your registry's address",
        )
    # a scope's slash is a part of the name
    document = read_json(
        f"{base}/{quote(source.package, safe='@')}/{quote(source.version)}", line=kit.line, say=kit.say
    )
    match document:
        case {"dist": {"tarball": str(tarball)}}:
            pass
        case _:
            raise AssetError(f"{base} says not where {source.package} {source.version} is")
    blob, _ = kit.blobs.receive(
        (tarball,),
        name=f"{source.package.rpartition('/')[2]}-{source.version}.tgz",
        expected=Expected(sha256=source.sha256, size_bytes=source.size_bytes),
        line=kit.line,
        say=kit.say,
        meter=kit.meter,
    )
    return blob


def _settings_file(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    path = Path(environ.get("npm_config_userconfig") or environ.get("NPM_CONFIG_USERCONFIG") or home / ".npmrc")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return {match["name"]: match["value"] for match in _SETTING.finditer(text)}


def _npm_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """What the user told us of the network, as npm takes it."""
    bundle = environment.get("PIP_CERT")
    return {**environment, **({"npm_config_cafile": bundle} if bundle else {})}


def _failure(source: NpmPackage, said: str) -> AssetError:
    title = f"npm package {source.package} {source.version}"
    hint = "check npm's settings (npm config list), or give the files with --asset NAME=PATH"
    if _UNKNOWN.search(said):
        return AssetError(f"npm's registry has no {title}", hint=hint)
    if _NETWORK.search(said):
        return TransientAssetError(f"no answer from npm's registry while fetching {title}", hint=hint)
    lines = [line.strip() for line in said.splitlines() if "error" in line.lower() or "ERR!" in line]
    return AssetError(f"npm could not fetch {title}: {json.dumps((lines or ['it said nothing'])[0])}", hint=hint)
