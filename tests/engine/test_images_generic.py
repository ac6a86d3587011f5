"""The shipped generic images, built for real: size, backends, nothing that they need left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import PlannedImage
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.docker_images import DockerImages

pytestmark = pytest.mark.engine

MEGABYTE = 1_000_000
PROGRAMS = {
    "generic-onnxruntime": (
        "import onnxruntime as o; assert 'CPUExecutionProvider' in o.get_available_providers();"
        "import mlperf_loadgen, numpy, orchestrator.sut; print(o.__version__)"
    ),
    "generic-tflite": (
        "from importlib.metadata import version; from ai_edge_litert.interpreter import Interpreter;"
        "import mlperf_loadgen, numpy, orchestrator.sut; print(version('ai-edge-litert'))"
    ),
    "generic-openvino": (
        "import openvino as o; assert 'CPU' in o.Core().available_devices;"
        "import mlperf_loadgen, numpy, orchestrator.sut; print(o.__version__)"
    ),
    "generic-ctranslate2": (
        "import ctranslate2 as c; from ctranslate2.specs import transformer_spec; import mlperf_loadgen, numpy;"
        "import orchestrator.sut, orchestrator.serving.api, orchestrator.preparation.smollm2; print(c.__version__)"
    ),
    "generic-pytorch": (
        "import torch; assert '+cpu' in torch.__version__; import mlperf_loadgen, numpy, orchestrator.sut;"
        "m = torch.export.export(torch.nn.ReLU(), (torch.zeros(2),)); print(float(m.module()(torch.ones(2)).sum()))"
    ),
    "generic-prepare-speech": (
        "from orchestrator.preparation import speech as s; book = list((s.MATERIAL / s.BOOK).iterdir());"
        "assert len(list((s.MATERIAL / s.PROMPTS).rglob('*.wav'))) > 500;"
        "assert (s.MATERIAL / s.TRANSCRIPTS).is_file(); assert list((s.MATERIAL / 'usr/share/doc').rglob('copyright'));"
        "print(len(book))"
    ),
    "generic-prepare": "import numpy, onnx.helper, PIL.Image, tokenizers, orchestrator.preparation; print(1)",
}


@pytest.mark.parametrize(
    ("name", "limit_bytes"),
    [
        ("generic-tflite", 200 * MEGABYTE),
        ("generic-onnxruntime", 220 * MEGABYTE),
        ("generic-prepare", 200 * MEGABYTE),
        ("generic-ctranslate2", 230 * MEGABYTE),
        pytest.param("generic-prepare-speech", 160 * MEGABYTE, marks=pytest.mark.slow),
        pytest.param("generic-openvino", 300 * MEGABYTE, marks=pytest.mark.slow),
        pytest.param("generic-pytorch", 900 * MEGABYTE, marks=pytest.mark.thorough),
    ],
)
def test_a_generic_image_works_and_keeps_its_size(name: str, limit_bytes: int, docker_url: str, tmp_path: Path) -> None:
    images = DockerImages(image_entries(), url=docker_url, site=detect_site(), cache=tmp_path)
    recipe = images.plan(name, round_name="v6.1", platform="linux/amd64")
    wanted = PlannedImage(entry=name, round="v6.1", platform="linux/amd64", recipe=recipe)
    ready = images.ensure(wanted, log=lambda _: None, say=lambda _: None)
    assert ready.size_bytes is not None
    assert ready.base_size_bytes is not None
    assert ready.size_bytes - ready.base_size_bytes <= limit_bytes
    client = connect(docker_url)
    program = ["python", "-W", "error", "-c", PROGRAMS[name]]
    said = client.containers.run(
        ready.handle,
        program,
        user="65534:65534",
        environment={"HOME": "/tmp", "USER": "mlperf"},  # as every run has it
        tmpfs={"/tmp": ""},
        network_mode="none",
        read_only=True,
        remove=True,
    )
    client.close()
    assert bytes(said).strip()
