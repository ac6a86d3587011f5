"""Make a small image of this machine's own Python and shell, for tests only: no network, no registry, a second or so.

Never a base of anything shipped: its content is whatever this host happens to have.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
import tarfile
from pathlib import Path

from orchestrator.host.process import run

BASE = "mlperf-docker/base:bookworm-py311"
QUICK = "mlperf-docker/engines-test:quick"
FOREIGN = "mlperf-docker/engines-test:foreign"
_VERSION = f"python{sys.version_info.major}.{sys.version_info.minor}"
_UNUSED = {"test", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3"}
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\n"


def quick_base_tar() -> bytes:
    """An uncompressed root file system: sh, python3 with its standard library, and the libraries they load."""
    python = Path(sys.base_prefix) / "bin" / _VERSION
    library = Path(sys.base_prefix) / "lib" / _VERSION
    shell = Path("/bin/sh").resolve()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for folder, mode in (("tmp", 0o1777), ("proc", 0o755), ("sys", 0o755), ("dev", 0o755), ("root", 0o700)):
            _folder(tar, folder, mode)
        for link in ("bin", "lib", "lib64"):
            _link(tar, link, f"usr/{'lib' if link == 'lib64' else link}")
        for name, path in {"usr/bin/sh": shell, f"usr/local/bin/{_VERSION}": python.resolve()}.items():
            tar.add(path, name)
        for name in ("usr/local/bin/python3", "usr/local/bin/python"):
            _link(tar, name, _VERSION)
        tar.add(library, f"usr/local/lib/{_VERSION}", filter=_used)
        for path in _shared(python, shell, *sorted((library / "lib-dynload").glob("*.so"))):
            tar.add(path.resolve(), f"usr/lib/{path.name}")
        _file(tar, "etc/passwd", _PASSWD)
    return content.getvalue()


def _used(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    parts = set(Path(member.name).parts)
    if parts & _UNUSED or any(part.startswith("config-") for part in parts):
        return None
    member.uid = member.gid = 0
    return member


def _folder(tar: tarfile.TarFile, name: str, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, mode
    tar.addfile(member)


def _link(tar: tarfile.TarFile, name: str, target: str) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = tarfile.SYMTYPE, target
    tar.addfile(member)


def _shared(*programs: Path) -> list[Path]:
    """Everything the dynamic linker would load for the programs, the linker itself included."""
    listed = run(["ldd", *map(str, programs)]).stdout
    return sorted({Path(found) for found in re.findall(r"(/\S+\.so\S*) \(0x", listed)})


def foreign_image_tar(architecture: str) -> bytes:
    """An image to load (not a root file system): one shell of this machine that claims to be of another processor."""
    layer = _shell_layer()
    described = {
        "architecture": architecture,
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": [FOREIGN], "Layers": ["layer.tar"]}]
    parts = {
        "layer.tar": layer,
        "config.json": json.dumps(described).encode(),
        "manifest.json": json.dumps(manifest).encode(),
    }
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for name, raw in parts.items():
            _file(tar, name, raw)
    return content.getvalue()


def _shell_layer() -> bytes:
    shell = Path("/bin/sh").resolve()
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for link in ("bin", "lib", "lib64"):
            _link(tar, link, f"usr/{'lib' if link == 'lib64' else link}")
        tar.add(shell, "usr/bin/sh")
        for path in _shared(shell):
            tar.add(path.resolve(), f"usr/lib/{path.name}")
    return content.getvalue()


def _file(tar: tarfile.TarFile, name: str, raw: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(raw)
    tar.addfile(member, io.BytesIO(raw))
