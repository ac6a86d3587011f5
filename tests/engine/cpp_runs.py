"""Starts the C++ harness in its images: one container for each, many short runs in it, on data written by the test."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.engine.sut_runs import CONF, MODELS, Ended

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.models.containers import Container

IMAGES = {"onnxruntime": "cpp", "tflite": "tflite-cpp", "null": "cpp"}
PROGRAM = "mlperf-sut"


class CppHarness:
    """Runs `mlperf-sut` as an image carries it; the test's folders stand at the same paths inside and outside."""

    def __init__(self, client: DockerClient, image: Callable[[str], str], shared: Path) -> None:
        self._client = client
        self._image = image
        self._shared = shared
        self._kept: dict[str, Container] = {}

    def run(
        self,
        folder: Path,
        *,
        model: str | Path | None,
        backend: str = "onnxruntime",
        dataset: Path | None = None,
        conf: str = CONF,
        before: Sequence[str] = (),
        after: Sequence[str] = (),
        **settings: object,
    ) -> Ended:
        """Run to the end in `folder`/out; `settings` replace those of harness.json."""
        data = {} if dataset is None else {"dataset": str(dataset), "generated_samples": None}
        written = write_harness(folder, backend, model, conf, {**data, **settings})
        return self.call(folder, IMAGES.get(backend, "cpp"), *before, str(written), *after)

    def call(self, folder: Path, image: str, *arguments: str) -> Ended:
        """`mlperf-sut ARGUMENTS` in an image's container."""
        output = folder / "out"
        output.mkdir(exist_ok=True)
        command = [PROGRAM, *arguments]
        done: Any = self._container(image).exec_run(command, workdir=str(output), user=_user(), demux=True)
        stdout, stderr = ((said or b"").decode() for said in done.output)
        return Ended(code=done.exit_code, stdout=stdout, stderr=stderr, folder=output)

    def ended_by_sigterm(self, folder: Path, *, model: str, conf: str, **settings: object) -> tuple[int, str, float]:
        """Start it as process 1, ask for an end once it makes progress: status, stderr, the seconds it took to end."""
        written = write_harness(folder, "onnxruntime", model, conf, settings)
        container = self._started("cpp", [PROGRAM, str(written)], workdir=written.parent)
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
        if image not in self._kept:
            self._kept[image] = self._started(image, ["sleep", "3600"])
        return self._kept[image]

    def _started(self, image: str, command: list[str], workdir: Path | None = None) -> Container:
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
