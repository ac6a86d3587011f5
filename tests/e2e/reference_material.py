"""Stand-ins for the reference harnesses' models and data: a few kilobytes, made here, with answers that are known.

They show that a harness runs and that its score is read; no figure measured with them means anything.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

from tests.tiny_graphs import FLOAT, INT64, model, node, tensor, value

PICTURES = 8
RIGHT_PICTURES = 6
_RED_MEAN = 123.68  # what the harness takes from the first channel


def fake_imagenet(folder: Path) -> Path:
    """Eight grey pictures, each of another grey, with val_map.txt; the last two labels are wrong on purpose."""
    (folder / "val").mkdir(parents=True)
    lines = []
    for number in range(PICTURES):
        name = f"val/picture_{number}.bmp"
        (folder / name).write_bytes(_bitmap(_grey(number), width=320, height=256))
        label = number if number < RIGHT_PICTURES else 900 + number
        lines.append(f"{name} {label}\n")
    (folder / "val_map.txt").write_text("".join(lines))
    return folder


def classifier() -> bytes:
    """Tells those greys apart: class 1 + n for picture n, as ResNet-50's graph counts (0 is the background)."""
    centres = [_grey(number) - _RED_MEAN for number in range(PICTURES)]
    weights = [[0.0, *(2 * centre for centre in centres)], [0.0] * (PICTURES + 1), [0.0] * (PICTURES + 1)]
    bias = [-1e9, *(-centre * centre for centre in centres)]
    nodes = (
        node("GlobalAveragePool", ("input_tensor:0",), ("mean",)),
        node("Flatten", ("mean",), ("flat",)),
        node("MatMul", ("flat", "weights"), ("scaled",)),
        node("Add", ("scaled", "bias"), ("scores",)),
        node("ArgMax", ("scores",), ("ArgMax:0",), axis=1, keepdims=0),
    )
    tensors = (
        tensor("weights", (3, PICTURES + 1), [number for row in weights for number in row]),
        tensor("bias", (PICTURES + 1,), bias),
    )
    inputs = (value("input_tensor:0", FLOAT, ("n", 3, 224, 224)),)
    return _stand_in(nodes, tensors, inputs, (value("ArgMax:0", INT64, ("n",)),))


_WORDS = (
    *("the", "old", "stone", "bridge", "crosses", "river", "was", "built", "by", "masons", "in", "ninth", "century"),
    *("who", "what", "when", "is", "a", "city", "number"),
)
_VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,?0123456789", *_WORDS]
_ANSWER = "masons"
_CONTEXT = "The old stone bridge crosses the river. The bridge was built by masons in the ninth century."
_QUESTIONS = (
    ("What crosses the river?", "The old stone bridge"),
    ("Who built the bridge?", _ANSWER),
    ("When was the bridge built?", "the ninth century"),
)
PARAGRAPHS = 4
EXACT_PERCENT = 100 / len(_QUESTIONS)  # the one answer it knows, whatever is asked


def squad(folder: Path) -> Path:
    """A few paragraphs in SQuAD's form, as dev-v1.1.json."""
    folder.mkdir(parents=True)
    paragraphs = []
    for number in range(PARAGRAPHS):
        context = f"{_CONTEXT} The city is number {number}."
        questions = [
            {
                "id": f"question-{number}-{which}",
                "question": question,
                "answers": [{"text": answer, "answer_start": context.index(answer)}] * 3,
            }
            for which, (question, answer) in enumerate(_QUESTIONS)
        ]
        paragraphs.append({"context": context, "qas": questions})
    document = {"version": "1.1", "data": [{"title": "A bridge", "paragraphs": paragraphs}]}
    (folder / "dev-v1.1.json").write_text(json.dumps(document))
    return folder


def vocabulary(folder: Path) -> Path:
    """The word list of the tokenizer, as vocab.txt."""
    folder.mkdir(parents=True)
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in _VOCABULARY))
    return folder


def question_answerer() -> bytes:
    """A graph of BERT's inputs and outputs that answers every question with the one word it knows."""
    table = [10.0 if word == _ANSWER else 0.0 for word in _VOCABULARY for _ in range(2)]
    names = ("input_ids", "input_mask", "segment_ids")
    nodes = (
        node("Gather", ("table", "input_ids"), ("known",)),
        node("Cast", ("input_mask",), ("mask",), to=FLOAT),
        node("Cast", ("segment_ids",), ("segments",), to=FLOAT),
        node("Add", ("mask", "segments"), ("where",)),
        node("Unsqueeze", ("where",), ("where_3d",), axes=(2,)),
        node("Add", ("known", "where_3d"), ("logits",)),
        node("Split", ("logits",), ("start_3d", "end_3d"), axis=2),
        node("Squeeze", ("start_3d",), ("output_start_logits",), axes=(2,)),
        node("Squeeze", ("end_3d",), ("output_end_logits",), axes=(2,)),
    )
    outputs = tuple(value(name, FLOAT, ("n", 384)) for name in ("output_start_logits", "output_end_logits"))
    inputs = tuple(value(name, INT64, ("n", 384)) for name in names)
    return _stand_in(nodes, (tensor("table", (len(_VOCABULARY), 2), table),), inputs, outputs)


def _grey(number: int) -> int:
    return 16 + 32 * number


def _bitmap(grey: int, *, width: int, height: int) -> bytes:
    """An uncompressed picture of one grey, 24 bits a pixel; rows are a multiple of four bytes."""
    pixels = bytes([grey]) * (width * height * 3)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(pixels), 2835, 2835, 0, 0)
    return b"BM" + struct.pack("<IHHI", 14 + len(header) + len(pixels), 0, 0, 14 + len(header)) + header + pixels


def _stand_in(
    nodes: Sequence[bytes], tensors: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes]
) -> bytes:
    """A model of a form that runtimes of every round's time read."""
    return model(nodes, inputs, outputs, tensors=tensors, name="stand-in", ir_version=6, opset=11)
