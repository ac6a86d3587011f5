"""Starts the harness as the generic images carry it, on data sets and settings written by the test.

With SUT_PYTHON set to a Python that has the backends, the same runs go without an engine: for work on the harness.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from orchestrator.host.process import run

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

MODELS = Path(__file__).parents[1] / "fixtures" / "sut"
SOURCE = Path(__file__).parents[2]
CONF = """
*.*.min_duration = 0
*.*.min_query_count = 20
*.Server.target_qps = 200
*.Server.target_latency = 1000
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A harness that has ended. `folder` is what it saw as its output folder."""

    code: int
    stdout: str
    stderr: str
    folder: Path

    @property
    def report(self) -> dict[str, object]:
        """report.json."""
        found: dict[str, object] = json.loads((self.folder / "report.json").read_text())
        return found

    @property
    def errors(self) -> list[str]:
        """The lines on stderr that are the harness's own; runtimes may say what they like besides."""
        return [line for line in self.stderr.splitlines() if line.startswith("error: ")]

    def logged(self, key: str) -> list[object]:
        """The values of a key in LoadGen's detail log."""
        lines = (self.folder / "mlperf_log_detail.txt").read_text().splitlines()
        entries = (json.loads(line.removeprefix(":::MLLOG ")) for line in lines)
        return [entry["value"] for entry in entries if entry["key"] == key]


class Harness:
    """Runs `python -m orchestrator.sut` in the image of a backend; `null` is in every image."""

    def __init__(self, client: DockerClient | None, image: Callable[[str], str]) -> None:
        self._client = client
        self._image = image

    def run(
        self,
        folder: Path,
        *,
        model: str | None,
        backend: str = "onnxruntime",
        dataset: Path | None = None,
        conf: str = CONF,
        program: Sequence[str] = ("orchestrator.sut",),
        **settings: object,
    ) -> Ended:
        """Run to the end, in an output folder inside `folder`."""
        written = self._written(folder, backend=backend, model=model, dataset=dataset, conf=conf, settings=settings)
        command = ["python", "-m", program[0], written, *program[1:]]
        output = folder / "out"
        if self._client is None:
            done = run([os.environ["SUT_PYTHON"], *command[1:]], environment={"PYTHONPATH": str(SOURCE)}, cwd=output)
            return Ended(code=done.code, stdout=done.stdout, stderr=done.stderr, folder=output)
        with self._started(folder, backend, command) as container:
            code = int(container.wait(timeout=120)["StatusCode"])
            said = [container.logs(stdout=out, stderr=not out).decode() for out in (True, False)]
        return Ended(code=code, stdout=said[0], stderr=said[1], folder=output)

    def ended_by_sigterm(self, folder: Path, *, model: str, conf: str, **settings: object) -> tuple[int, str, float]:
        """Start, ask for an end once it makes progress: its status, its stderr, the seconds it took to end."""
        assert self._client is not None
        written = self._written(folder, backend="onnxruntime", model=model, dataset=None, conf=conf, settings=settings)
        with self._started(folder, "onnxruntime", ["python", "-m", "orchestrator.sut", written]) as container:
            patience = time.monotonic() + 60
            while b"progress" not in container.logs(stderr=False) and time.monotonic() < patience:
                time.sleep(0.2)
            asked = time.monotonic()
            container.kill("SIGTERM")
            code = int(container.wait(timeout=20)["StatusCode"])
            return code, container.logs(stdout=False).decode(), time.monotonic() - asked

    def _written(
        self,
        folder: Path,
        *,
        backend: str,
        model: str | None,
        dataset: Path | None,
        conf: str,
        settings: dict[str, object],
    ) -> str:
        """Write harness.json and user.conf; where the harness finds the former."""
        output = folder / "out"
        output.mkdir(exist_ok=True)
        (folder / "dataset").mkdir(exist_ok=True)
        inside = self._client is not None
        (output / "user.conf").write_text(conf)
        place = "/out" if inside else str(output)
        written = {
            "schema_version": 1,
            "backend": backend,
            "model": None if model is None else str(self._place(folder, model)),
            "dataset": None if dataset is None else "/dataset" if inside else str(dataset),
            "generated_samples": 8 if dataset is None else None,
            "scenario": "Offline",
            "mode": "performance",
            "loadgen_model": "tiny",
            "user_conf": f"{place}/user.conf",
            "output": place,
            "threads": 1,
            "batch_size": 4,
            "workers": 1,
            "queue_depth": 4096,
            "performance_sample_count": 8,
            "options": {},
            **settings,
        }
        (output / "harness.json").write_text(json.dumps(written))
        return f"{place}/harness.json"

    def _place(self, folder: Path, model: str) -> PurePosixPath:
        """Where the harness finds a model: one of the fixtures, or `../dataset/NAME` of the test's own."""
        inside = self._client is not None
        if model.startswith("../"):
            return PurePosixPath("/" if inside else folder) / model.removeprefix("../")
        return PurePosixPath("/model" if inside else MODELS) / model

    @contextmanager
    def _started(self, folder: Path, backend: str, command: Sequence[str]) -> Iterator[Container]:
        assert self._client is not None
        name = "onnxruntime" if backend == "null" else backend
        container = self._client.containers.run(
            self._image(f"generic-{name}"),
            list(command),
            detach=True,
            user=f"{os.getuid()}:{os.getgid()}",
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": ""},
            working_dir="/out",
            volumes={
                str(folder / "out"): {"bind": "/out", "mode": "rw"},
                str(folder / "dataset"): {"bind": "/dataset", "mode": "ro"},
                str(MODELS): {"bind": "/model", "mode": "ro"},
            },
        )
        try:
            yield container
        finally:
            container.remove(force=True)


def a_dataset(
    folder: Path,
    *,
    inputs: dict[str, tuple[str, tuple[int, ...], Sequence[float]]],
    labels: Sequence[int] | None = None,
    metric: str | None = None,
    response: str = "argmax",
) -> Path:
    """Write a prepared data set to `folder`/dataset; an input is (numpy type such as '<f4', shape, values)."""
    place = folder / "dataset"
    place.mkdir(exist_ok=True)
    for name, (kind, shape, values) in inputs.items():
        (place / f"{name}.npy").write_bytes(npy(kind, shape, values))
    if labels is not None:
        (place / "labels.npy").write_bytes(npy("<i4", (len(labels),), labels))
    index = {
        "schema_version": 1,
        "name": "tiny",
        "samples": next(iter(inputs.values()))[1][0],
        "inputs": [{"name": name, "file": f"{name}.npy"} for name in inputs],
        "labels": None if labels is None else "labels.npy",
        "metric": metric,
        "response": response,
    }
    (place / "dataset.json").write_text(json.dumps(index))
    return place


def npy(kind: str, shape: tuple[int, ...], values: Sequence[float]) -> bytes:
    """An array as a .npy file, without numpy."""
    letter = {"<f4": "f", "<i4": "i", "<i8": "q"}[kind]
    numbers = values if letter == "f" else [int(value) for value in values]
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    head = head.ljust(-(-(len(head) + 11) // 64) * 64 - 11) + "\n"
    return (
        b"\x93NUMPY\x01\x00"
        + struct.pack("<H", len(head))
        + head.encode()
        + struct.pack(f"<{len(values)}{letter}", *numbers)
    )
