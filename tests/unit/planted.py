"""Secrets planted everywhere a user may keep one, and a search for them in everything that a command leaves or says."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import yaml

from tests.unit.gate_server import CLIENT_ID, CLIENT_SECRET, HUB_TOKEN, SIGNATURE

FILE_TOKEN = "hf_plantedINtheFILE9876543210"  # noqa: S105 - planted
PROXY_PASSWORD = "planted/PROXY@pass word"  # noqa: S105 - planted
OTHER = {
    "WANDB_API_KEY": "planted0WANDB0key",
    "AWS_SECRET_ACCESS_KEY": "planted0AWS0secret0key",
    "MY_PASSWORD": "planted0PASSWORD",
}
PLANTED = (HUB_TOKEN, FILE_TOKEN, CLIENT_ID, CLIENT_SECRET, SIGNATURE, PROXY_PASSWORD, *OTHER.values())


@dataclass(frozen=True)
class Place:
    """Where a secret was found."""

    where: str
    secret: str


def plant(home: Path, *, proxy: str | None = None) -> dict[str, str]:
    """Put secrets into files of a home folder; gives the variables that hold others. `proxy`: its HOST:PORT."""
    token = home / ".cache" / "huggingface" / "token"
    token.parent.mkdir(parents=True, exist_ok=True)
    token.write_text(FILE_TOKEN)
    own = home / ".config" / "mlperf-docker" / "credentials.yaml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(yaml.safe_dump({"mlcommons": {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}}))
    own.chmod(0o600)
    found = {"HOME": str(home), "HF_TOKEN": HUB_TOKEN, **OTHER}
    if proxy is not None:
        address = f"http://planted-user:{quote(PROXY_PASSWORD, safe='')}@{proxy}"
        found |= {"http_proxy": address, "https_proxy": address}
    return found


def spellings(secret: str) -> Iterable[bytes]:
    """A secret as files may hold it."""
    return {secret.encode(), quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}


def in_bytes(where: str, raw: bytes) -> list[Place]:
    """The secrets in some bytes."""
    return [Place(where, secret) for secret in PLANTED if any(one in raw for one in spellings(secret))]


def in_tree(folder: Path) -> list[Place]:
    """The secrets in names and contents of all files below a folder; fails when there are none to look at."""
    found: list[Place] = []
    seen = 0
    for root, _, names in os.walk(folder):
        for name in names:
            path = Path(root, name)
            seen += 1
            raw = os.fsencode(path.relative_to(folder)) + (path.read_bytes() if path.is_file() else b"")
            found += in_bytes(str(path.relative_to(folder)), raw)
    assert seen, f"{folder} holds nothing that could be searched"
    return found
