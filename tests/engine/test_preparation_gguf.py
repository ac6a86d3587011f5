"""A GGUF file is read for what it is: its tokenizer makes the prompts, and a damaged one is named, not crashed on."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.config.images import image_entries
from orchestrator.domain.image import PlannedImage
from orchestrator.host.docker_api import connect
from orchestrator.host.site import detect_site
from orchestrator.images.docker_images import DockerImages

pytestmark = pytest.mark.engine

_STRING, _ARRAY = 8, 9
LETTERS = [chr(code) for code in range(33, 127)]
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "Ġ", "Ċ", "Pa", "ri", "ris", *LETTERS]


def text(value: str) -> bytes:
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


def texts(values: list[str]) -> bytes:
    return struct.pack("<IQ", _STRING, len(values)) + b"".join(map(text, values))


def gguf(*, pre: str = "smollm") -> bytes:
    """A file with a tokenizer and no tensors."""
    settings = [
        (text("general.architecture"), _STRING, text("llama")),
        (text("tokenizer.ggml.model"), _STRING, text("gpt2")),
        (text("tokenizer.ggml.pre"), _STRING, text(pre)),
        (text("tokenizer.ggml.tokens"), _ARRAY, texts(TOKENS)),
        (text("tokenizer.ggml.merges"), _ARRAY, texts(["P a", "r i", "ri s"])),
    ]
    head = b"GGUF" + struct.pack("<IQQ", 3, 0, len(settings))
    return head + b"".join(name + struct.pack("<I", kind) + value for name, kind, value in settings)


@dataclass(frozen=True)
class Ended:
    code: int
    said: str
    output: Path


@pytest.fixture(scope="module")
def prepare(docker_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], Ended]]:
    """Runs the step on a GGUF file and two countries, in the real image."""
    images = DockerImages(image_entries(), url=docker_url, site=detect_site(), cache=tmp_path_factory.mktemp("images"))
    recipe = images.plan("generic-prepare", round_name="v6.1", platform="linux/amd64")
    wanted = PlannedImage(entry="generic-prepare", round="v6.1", platform="linux/amd64", recipe=recipe)
    image = images.ensure(wanted, log=lambda _: None, say=lambda _: None).handle
    client = connect(docker_url)

    def run(model: bytes) -> Ended:
        folder = tmp_path_factory.mktemp("step")
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        (folder / "in" / "tiny.gguf").write_bytes(model)
        for people, country, capital in ((5, "Small", "Rome"), (9, "Big", "Paris"), (7, "Nowhere", "")):
            entry = {"name": country, "capital": capital, "population": people}
            (folder / "in" / f"{country}.json").write_text(json.dumps(entry))
        container = client.containers.run(
            image,
            [
                *("python", "-m", "orchestrator.preparation", "capital-questions", "--input", "a=/in"),
                *("--output", "/out", "--set", "name=tiny", "--set", "count=2"),
            ],
            detach=True,
            network_mode="none",
            volumes={str(folder / side): {"bind": f"/{side}", "mode": "rw"} for side in ("in", "out")},
        )
        try:
            code = int(container.wait(timeout=60)["StatusCode"])
            return Ended(code, container.logs().decode(), folder / "out")
        finally:
            container.remove(force=True)

    yield run
    client.close()


def test_prompts_are_made_with_the_file_s_own_tokenizer(prepare: Callable[[bytes], Ended]) -> None:
    ended = prepare(gguf())
    assert ended.code == 0, ended.said
    described = json.loads((ended.output / "dataset.json").read_text())
    assert (described["samples"], described["metric"], described["response"]) == (2, "answers", "text")
    labels = (ended.output / "labels.npy").read_bytes()
    assert labels.index(b"Paris") < labels.index(b"Rome")  # the bigger country first; the one without capital left out
    ids = (ended.output / "input_ids.npy").read_bytes()
    first = ids[ids.index(b"\n") + 1 :][:4]
    assert struct.unpack("<i", first) == (TOKENS.index("<|im_start|>"),)


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (b"", "is empty"),
        (b"GGML" + bytes(32), "is not a GGUF file"),
        (gguf()[:200], "is cut off"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1 << 40), "is damaged"),
        (gguf(pre="llama-bpe"), "another kind of tokenizer"),
    ],
)
def test_a_damaged_or_foreign_file_is_named(prepare: Callable[[bytes], Ended], model: bytes, said: str) -> None:
    ended = prepare(model)
    assert ended.code == 2, ended.said
    assert said in ended.said
    assert "Traceback" not in ended.said
    assert list(ended.output.iterdir()) == []
