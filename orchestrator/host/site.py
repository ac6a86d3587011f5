"""Find this machine's network settings (certificates, proxies, package indexes) and give them as one value.

Reads files and variables; contacts nothing, starts nothing.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from orchestrator.domain.site import Site

_ANCHORS = (
    "usr/local/share/ca-certificates",
    "etc/pki/ca-trust/source/anchors",
    "etc/ca-certificates/trust-source/anchors",
)
_BUNDLE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT", "CURL_CA_BUNDLE")
_SYSTEM_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "find-links")
_PIP_PLAIN_KEYS = ("timeout", "retries", "no-index")
_APT_PROXY = re.compile(r'^\s*Acquire::https?::(?:[\w.-]+::)?Proxy\s+"[^"]*"\s*;', re.MULTILINE)
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def detect_site(
    *,
    ca_bundle: Path | None = None,
    http_proxy: str | None = None,
    https_proxy: str | None = None,
    no_proxy: str | None = None,
    pip_config: str | None = None,
    apt_config: str | None = None,
    build_network: str | None = None,
    environment: Mapping[str, str] | None = None,
    root: Path = Path("/"),
) -> Site:
    """The host's settings; what is given beats what is found. `root` is where /etc and /usr are looked for.

    A proxy on the host's own loopback makes builds use the host's network: no other network reaches it.
    """
    variables = os.environ if environment is None else environment
    http = http_proxy or _proxy(variables, "http_proxy")
    https = https_proxy or _proxy(variables, "https_proxy")
    local = any(urlsplit(value).hostname in _LOOPBACK for value in (http, https) if value)
    return Site(
        certificates=((ca_bundle,) if ca_bundle else ()) + _certificates(variables, root),
        http_proxy=http,
        https_proxy=https,
        no_proxy=no_proxy or _proxy(variables, "no_proxy"),
        pip_config=pip_config if pip_config is not None else _pip_config(variables, root),
        apt_config=apt_config if apt_config is not None else _apt_config(root),
        build_network=build_network or ("host" if local else None),
        wheel_folders=_wheel_folders(variables, root),
    )


def _proxy(variables: Mapping[str, str], name: str) -> str | None:
    return variables.get(name) or variables.get(name.upper()) or None


def _certificates(variables: Mapping[str, str], root: Path) -> tuple[Path, ...]:
    """The site's own certificates, and a whole bundle where a variable names one that is not the system's."""
    anchors = [
        path
        for folder in _ANCHORS
        for path in sorted((root / folder).glob("**/*"))
        if path.is_file() and path.suffix in {".crt", ".pem"}
    ]
    named = [Path(variables[name]) for name in _BUNDLE_VARIABLES if variables.get(name)]
    system = {Path(bundle).resolve() for bundle in _SYSTEM_BUNDLES}
    bundles = [path for path in named if path.is_file() and path.resolve() not in system]
    return tuple(dict.fromkeys((*anchors, *bundles)))


def _pip_config(variables: Mapping[str, str], root: Path) -> str | None:
    """The text of a pip.conf with where packages come from; paths of this machine mean nothing in a container."""
    found = _pip_settings(variables, root)
    kept = {key: value for key, value in found.items() if key in _PIP_PLAIN_KEYS}
    for key in _PIP_KEYS:
        remote = _remote(key, found.get(key, "").split())
        if remote:
            kept[key] = "\n    ".join(remote)
    if not kept.keys() & set(_PIP_KEYS):
        return None
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(kept.items()))


def _pip_settings(variables: Mapping[str, str], root: Path) -> dict[str, str]:
    """Pip's settings from its files and variables, the stronger ones last."""
    found: dict[str, str] = {}
    for path in _pip_files(variables, root):
        found.update(_pip_section(path))
    for key in (*_PIP_KEYS, *_PIP_PLAIN_KEYS):
        value = variables.get(f"PIP_{key.upper().replace('-', '_')}")
        if value:
            found[key] = value
    return found


def _wheel_folders(variables: Mapping[str, str], root: Path) -> tuple[Path, ...]:
    """The folders of this machine among pip's find-links."""
    named = _pip_settings(variables, root).get("find-links", "").split()
    folders = (Path(value.removeprefix("file://")) for value in named if "://" not in value.removeprefix("file://"))
    return tuple(folder for folder in folders if folder.is_absolute() and folder.is_dir())


def _remote(key: str, values: Iterable[str]) -> tuple[str, ...]:
    return tuple(value for value in values if key == "trusted-host" or value.startswith(("http://", "https://")))


def _pip_files(variables: Mapping[str, str], root: Path) -> tuple[Path, ...]:
    """pip's own order, weakest first: global, user, this Python's environment, the file PIP_CONFIG_FILE names."""
    named = variables.get("PIP_CONFIG_FILE")
    if named == os.devnull:
        return ()
    home = Path(variables.get("HOME") or "/nonexistent")
    wide = [
        Path(folder) / "pip/pip.conf"
        for folder in (variables.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        if folder
    ]
    rooted = [root / path.relative_to("/") for path in (*wide, Path("/etc/pip.conf")) if path.is_absolute()]
    personal = Path(variables.get("XDG_CONFIG_HOME") or home / ".config") / "pip/pip.conf"
    files = [*rooted, home / ".pip/pip.conf", personal, Path(sys.prefix) / "pip.conf"]
    return (*files, Path(named)) if named else tuple(files)


def _pip_section(path: Path) -> dict[str, str]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return {}
    found: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            found.update({key.replace("_", "-"): value for key, value in parser.items(section)})
    return found


def _apt_config(root: Path) -> str | None:
    """The proxy lines of apt's configuration, in the order in which apt reads its files."""
    files = [*sorted((root / "etc/apt/apt.conf.d").glob("*")), root / "etc/apt/apt.conf"]
    lines: list[str] = []
    for path in files:
        try:
            lines += (line.strip() for line in _APT_PROXY.findall(path.read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError):
            continue
    return "\n".join(lines) or None
