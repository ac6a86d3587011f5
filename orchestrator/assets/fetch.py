"""Fill an asset's folder from where the catalogue says that it comes: one module for each kind of source.

Nothing of a cache's order is known here: the folder is given, empty, and published by the caller.
"""

from __future__ import annotations

from pathlib import Path
from typing import assert_never

from orchestrator.assets.kit import Kit
from orchestrator.domain.asset import Asset, FileHash
from orchestrator.domain.source import (
    Bucket,
    DebianPackage,
    Download,
    GitTree,
    HuggingFace,
    LocalPath,
    NpmPackage,
    Prepared,
    PypiPackage,
    Scripted,
    StandIn,
    UserSupplied,
    origin_of,
)
from orchestrator.errors import AssetError

__all__ = ["Kit", "fill"]


def fill(asset: Asset, made: Path, kit: Kit) -> tuple[FileHash, ...]:
    """Put the asset's files into `made`, an empty folder; the hashes of them that are known without reading again.

    AssetError names what could not be had or is not what it should be, and the remedy. Only for what is fetched: what
    is made from other assets, lies here, or only the user can have, is not.
    """
    source = asset.source
    match source:
        case Download():
            from orchestrator.assets.web import fill_from_web

            return fill_from_web(asset, source, made, kit)
        case Bucket():
            from orchestrator.assets.bucket import fill_from_bucket

            return fill_from_bucket(asset, source, made, kit)
        case HuggingFace():
            from orchestrator.assets.huggingface import fill_from_hub

            return fill_from_hub(asset, source, made, kit)
        case PypiPackage():
            from orchestrator.assets.pypi import fill_from_pypi

            return fill_from_pypi(asset, source, made, kit)
        case DebianPackage():
            from orchestrator.assets.debian import fill_from_debian

            return fill_from_debian(asset, source, made, kit)
        case NpmPackage():
            from orchestrator.assets.npm import fill_from_npm

            return fill_from_npm(asset, source, made, kit)
        case GitTree():
            from orchestrator.assets.git_tree import fill_from_git

            return fill_from_git(asset, source, made, kit)
        case LocalPath() | Prepared() | Scripted() | StandIn() | UserSupplied():
            raise AssetError(f"asset '{asset.name}' is not fetched: {origin_of(source)}")
        case _:
            assert_never(source)
