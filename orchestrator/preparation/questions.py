"""Questions with known answers for a small language model: the capitals of the most populous countries."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

DEFAULT_COUNT = 64
# The model's own chat template, with its own first words (tokenizer.chat_template in its file).
TEMPLATE = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"
)
QUESTION = "What is the capital of {country}?"
MARKS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """`input_ids`, `attention_mask` int32 [N, T]; labels: the answers. Parameters `name` and `count`."""
    import numpy as np

    from orchestrator.preparation.dataset import Dataset, name_parameter

    count = _count(parameters.pop("count", str(DEFAULT_COUNT)))
    name = name_parameter(parameters, "capitals")
    tokenizer = read_tokenizer(inputs.one("*.gguf"))
    pairs = capitals(inputs.all("*.json"), count)
    prompts = [TEMPLATE.format(question=QUESTION.format(country=country)) for country, _ in pairs]
    tokens = [tokenizer.encode(prompt).ids for prompt in prompts]
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), longest), np.int32)
    mask = np.zeros_like(ids)
    for row, found in enumerate(tokens):
        ids[row, : len(found)] = found
        mask[row, : len(found)] = 1
    labels = np.array([capital.encode() for _, capital in pairs])
    dataset = Dataset(name, {"input_ids": ids, "attention_mask": mask}, labels, "answers", "text")
    say(f"wrote {name}: {dataset.write(output)} questions of up to {longest} tokens")


def capitals(files: tuple[Path, ...], count: int) -> list[tuple[str, str]]:
    """Country and capital of the `count` most populous countries, from one JSON file for each."""
    found = []
    for path in files:
        try:
            entry = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise BadInput(f"{path.name} is not JSON: {error}") from error
        country, capital, people = (entry.get(key) for key in ("name", "capital", "population"))
        if isinstance(country, str) and isinstance(capital, str) and capital and isinstance(people, int):
            found.append((-people, country, capital))
    if len(found) < count:
        raise BadInput(f"{len(found)} countries with a capital and a population; {count} are needed")
    return [(country, capital) for _, country, capital in sorted(found)[:count]]


def read_tokenizer(model: Path) -> Any:
    """The tokenizer that a GGUF file carries: byte-level pairs, each digit on its own."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    from orchestrator.preparation.gguf import Gguf

    source = Gguf(model)
    kind = (source.settings.get("tokenizer.ggml.model"), source.settings.get("tokenizer.ggml.pre"))
    if kind != ("gpt2", "smollm"):
        raise BadInput(f"{model.name} has another kind of tokenizer: {kind}")
    tokens = source.texts("tokenizer.ggml.tokens")
    merges = [(left, right) for left, _, right in (m.partition(" ") for m in source.texts("tokenizer.ggml.merges"))]
    tokenizer = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(tokens)}, merges=merges))
    digits = pre_tokenizers.Digits(individual_digits=True)
    letters = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([digits, letters])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(MARKS)
    return tokenizer


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise BadInput(f"count must be a whole number of at least 1, not {text!r}")
    return int(text)
