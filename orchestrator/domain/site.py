"""What a closed network needs: certificates, proxies, mirrors. Values only; secrets stay in build stages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings of the host's network that builds and downloads have to know. Empty: nothing special.

    `certificates` are PEM files or bundles; `pip_config` is the effective text of a pip.conf (it may hold
    credentials), `apt_config` lines for apt.conf. `wheel_folders` are folders of this machine in which pip looks for
    wheels (find-links): a build gets those of them that it pins.
    """

    certificates: tuple[Path, ...] = ()
    http_proxy: str | None = None
    https_proxy: str | None = None
    no_proxy: str | None = None
    pip_config: str | None = None
    apt_config: str | None = None
    build_network: str | None = None
    wheel_folders: tuple[Path, ...] = ()
