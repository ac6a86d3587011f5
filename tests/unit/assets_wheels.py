"""Small wheels, and a pip that finds nothing else: shared by the tests of the asset store."""

from __future__ import annotations

import hashlib
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from orchestrator.domain.asset import Asset, AssetFile, AssetKind, PreparationJob
from orchestrator.domain.ports import Say
from orchestrator.domain.source import Member, Prepared, PypiPackage

MODEL = b"weights " * 4096
PACKAGE = "assets-test-model"
VERSION = "1.0"


def sha256(content: bytes) -> str:
    """Hash of bytes."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True)
class Wheel:
    """A wheel on disk with its hash."""

    path: Path
    sha256: str

    @property
    def size_bytes(self) -> int:
        """Its size."""
        return self.path.stat().st_size


def make_wheel(folder: Path, files: dict[str, bytes], *, package: str = PACKAGE, version: str = VERSION) -> Wheel:
    """A minimal wheel (py3-none-any) that holds the files."""
    stem = package.replace("-", "_")
    path = folder / f"{stem}-{version}-py3-none-any.whl"
    about = f"{stem}-{version}.dist-info"
    described = {
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**files, **described}.items():
            archive.writestr(zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0)), content)
    return Wheel(path, sha256(path.read_bytes()))


def pip_environment(links: Path, log: Path | None = None) -> dict[str, str]:
    """Settings under which the real pip sees only the wheels of one folder, and logs each run."""
    cut = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(links), "PIP_CONFIG_FILE": os.devnull}
    return {**cut, **({"PIP_LOG": str(log)} if log is not None else {})}


def packaged(wheel: Wheel, name: str = "test-model", *, member: str = "pkg/model.bin", pin: bytes = MODEL) -> Asset:
    """An asset that is one member of a wheel."""
    return Asset(
        name=name,
        kind=AssetKind.MODEL,
        source=PypiPackage(
            package=PACKAGE,
            version=VERSION,
            filename=wheel.path.name,
            sha256=wheel.sha256,
            size_bytes=wheel.size_bytes,
            members=(Member(path=member, name="model.bin", sha256=sha256(pin), size_bytes=len(pin)),),
        ),
        files=(AssetFile(name="model.bin", sha256=sha256(pin), size_bytes=len(pin)),),
        licence="none",
    )


def prepared(*inputs: str, pin: bytes | None = None, name: str = "test-prepared") -> Asset:
    """An asset that a step makes from others."""
    return Asset(
        name=name,
        kind=AssetKind.DATASET,
        source=Prepared(step="test-step", image="none", inputs=inputs),
        files=(AssetFile(name="out.bin", sha256=sha256(pin) if pin is not None else None),),
        licence="none",
    )


def refuse(job: PreparationJob, *, say: Say) -> None:
    """A Preparer for tests in which nothing may be prepared."""
    raise AssertionError(f"nothing was to be prepared, but {job.asset} was")


def silent(_line: str) -> None:
    """A Say that says nothing."""
