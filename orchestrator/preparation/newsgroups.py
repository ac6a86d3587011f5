"""Tokenise labelled newsgroup posts for a BERT-like model, without their headers (which would name the group)."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs
from orchestrator.preparation.pickles import PickledArray, load_bunch

SEQUENCE_LENGTH = 128


def read_posts(packed: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Texts and labels of a zlib-packed, pickled Bunch; BadInput when it is of another form."""
    try:
        raw = zlib.decompress(packed)
    except zlib.error as error:
        raise BadInput(f"the posts are not zlib data: {error}") from error
    bunch = load_bunch(io.BytesIO(raw))
    texts, labels = _texts(bunch), _labels(bunch)
    if len(texts) != len(labels):
        raise BadInput(f"{len(texts)} posts but {len(labels)} labels")
    return texts, labels


def body(post: str) -> str:
    """A post without its headers: what follows the first blank line."""
    return post.partition("\n\n")[2]


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """`input_ids`, `attention_mask`, `token_type_ids` int64 [N, 128], cut and padded to 128 tokens."""
    import numpy as np
    from tokenizers import Tokenizer

    from orchestrator.preparation.dataset import Dataset, name_parameter

    name = name_parameter(parameters, "newsgroups")
    posts, labels = read_posts(inputs.one("mini_newsgroup").read_bytes())
    tokenizer = Tokenizer.from_file(str(inputs.one("tokenizer.json")))
    tokenizer.enable_truncation(SEQUENCE_LENGTH)
    tokenizer.enable_padding(length=SEQUENCE_LENGTH)
    encoded = tokenizer.encode_batch([body(post) for post in posts])
    arrays = {
        "input_ids": np.array([item.ids for item in encoded], np.int64),
        "attention_mask": np.array([item.attention_mask for item in encoded], np.int64),
        "token_type_ids": np.array([item.type_ids for item in encoded], np.int64),
    }
    dataset = Dataset(name, arrays, np.array(labels, np.int32), "nn1", "mean_pool")
    say(f"wrote {name}: {dataset.write(output)} samples of {SEQUENCE_LENGTH} tokens")


def _texts(bunch: Mapping[str, object]) -> tuple[str, ...]:
    data = bunch.get("data")
    if not isinstance(data, list) or not all(isinstance(text, str) for text in data):
        raise BadInput("the posts are not a list of texts")
    return tuple(data)


def _labels(bunch: Mapping[str, object]) -> tuple[int, ...]:
    target = bunch.get("target")
    if not isinstance(target, PickledArray) or target.code != "i8" or target.order not in {"<", "|", "="}:
        raise BadInput("the posts' labels are not an array of 64-bit integers")
    if len(target.shape) != 1 or len(target.raw) != 8 * target.shape[0]:
        raise BadInput("the posts' labels are cut short")
    return struct.unpack(f"<{target.shape[0]}q", target.raw)
