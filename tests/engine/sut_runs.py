"""Starts a harness program, Python or C++, as its images carry it, on data sets and settings written by the test.

With SUT_PYTHON set to a Python that has the backends, the same runs go without an engine: for work on the harness.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    """A harness program as its images carry it; the test's folders stand at the same paths inside and outside.

    `images` names the image of each backend; `image` gives the engine's id of one. Without a client the program runs
    in the Python that SUT_PYTHON names.
    """

    def __init__(
        self,
        client: DockerClient | None,
        image: Callable[[str], str],
        shared: Path,
        *,
        program: tuple[str, ...],
        images: Mapping[str, str],
    ) -> None:
        self._client = client
        self._image = image
        self._shared = shared
        self._program = program
        self._images = images
        self._kept: dict[str, Container] = {}

    def run(
        self,
        folder: Path,
        *,
        model: str | Path | None,
        backend: str = "onnxruntime",
        dataset: Path | None = None,
        conf: str = CONF,
        program: tuple[str, ...] | None = None,
        before: tuple[str, ...] = (),
        after: tuple[str, ...] = (),
        **settings: object,
    ) -> Ended:
        """Run to the end in `folder`/out; `settings` replace those of harness.json."""
        data = {} if dataset is None else {"dataset": str(dataset), "generated_samples": None}
        written = write_harness(folder, backend, model, conf, {**data, **settings})
        image = self._images.get(backend, self._images["onnxruntime"])
        return self.call(folder, image, *before, str(written), *after, program=program)

    def call(self, folder: Path, image: str, *arguments: str, program: tuple[str, ...] | None = None) -> Ended:
        """The program with these arguments, in an image's container."""
        output = folder / "out"
        output.mkdir(exist_ok=True)
        command = [*(program or self._program), *arguments]
        if self._client is None:
            done = run([os.environ["SUT_PYTHON"], *command[1:]], environment={"PYTHONPATH": str(SOURCE)}, cwd=output)
            return Ended(code=done.code, stdout=done.stdout, stderr=done.stderr, folder=output)
        said: Any = self._container(image).exec_run(command, workdir=str(output), user=_user(), demux=True)
        stdout, stderr = ((part or b"").decode() for part in said.output)
        return Ended(code=said.exit_code, stdout=stdout, stderr=stderr, folder=output)

    def ended_by_sigterm(self, folder: Path, *, model: str, conf: str, **settings: object) -> tuple[int, str, float]:
        """Start it as process 1, ask for an end once it makes progress: status, stderr, the seconds it took to end."""
        written = write_harness(folder, "onnxruntime", model, conf, settings)
        image = self._images["onnxruntime"]
        container = self._started(image, [*self._program, str(written)], workdir=written.parent)
        try:
            patience = time.monotonic() + 60
            while b"progress" not in container.logs(stderr=False) and time.monotonic() < patience:
                time.sleep(0.1)
            asked = time.monotonic()
            container.kill("SIGTERM")
            code = int(container.wait(timeout=20)["StatusCode"])
            return code, container.logs(stdout=False).decode(), time.monotonic() - asked
        finally:
            container.remove(force=True)

    def shell(self, image: str, *command: str) -> tuple[int, str]:
        """Any command in an image's container: its status and what it said."""
        done: Any = self._container(image).exec_run(list(command))
        return done.exit_code, done.output.decode()

    def close(self) -> None:
        """Remove the containers."""
        for container in self._kept.values():
            container.remove(force=True)

    def _container(self, image: str) -> Container:
        """One for each image, in which many short runs go."""
        if image not in self._kept:
            self._kept[image] = self._started(image, ["sleep", "3600"])
        return self._kept[image]

    def _started(self, image: str, command: list[str], workdir: Path | None = None) -> Container:
        assert self._client is not None
        here = {"bind": str(self._shared), "mode": "rw"}
        return self._client.containers.run(
            self._image(image),
            command,
            detach=True,
            user=_user(),
            network_mode="none",
            read_only=True,
            tmpfs={"/tmp": ""},
            working_dir=str(workdir or "/"),
            volumes={str(self._shared): here, str(MODELS): {"bind": str(MODELS), "mode": "ro"}},
        )


def _user() -> str:
    return f"{os.getuid()}:{os.getgid()}"


def write_harness(folder: Path, backend: str, model: str | Path | None, conf: str, settings: dict[str, object]) -> Path:
    """Write harness.json and user.conf to `folder`/out; a model by name is one of the fixtures."""
    output = folder / "out"
    output.mkdir(exist_ok=True)
    (output / "user.conf").write_text(conf)
    written = {
        "schema_version": 1,
        "backend": backend,
        "model": None if model is None else str(MODELS / model),
        "dataset": None,
        "generated_samples": 8,
        "scenario": "Offline",
        "mode": "performance",
        "loadgen_model": "tiny",
        "user_conf": "user.conf",
        "output": ".",
        "threads": 1,
        "batch_size": 4,
        "workers": 1,
        "queue_depth": 4096,
        "performance_sample_count": 8,
        "options": {},
        **settings,
    }
    place = output / "harness.json"
    place.write_text(json.dumps(written))
    return place


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
