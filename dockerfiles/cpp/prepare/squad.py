"""SQuAD as a prepared data set, with MLCommons' own code (language/bert on PYTHONPATH), in its own image.

Usage: squad.py QUESTIONS_JSON VOCABULARY MASK_NAME SEGMENTS_NAME OUTPUT_FOLDER

The features, and their order, are those that the official accuracy script makes of the same questions.
"""

import json
import sys
from pathlib import Path

import numpy as np
from create_squad_data import convert_examples_to_features, read_squad_examples
from transformers import BertTokenizer

LENGTH, STRIDE, QUESTION = 384, 128, 64


def main(questions: str, vocabulary: str, mask: str, segments: str, output: Path) -> None:
    """Write input_ids, mask and segments, int64 [features, 384], and dataset.json last."""
    columns: dict[str, list[list[int]]] = {"input_ids": [], mask: [], segments: []}

    def keep(feature: object) -> None:
        for name, values in zip(columns, (feature.input_ids, feature.input_mask, feature.segment_ids), strict=True):
            columns[name].append(values)

    convert_examples_to_features(
        examples=read_squad_examples(input_file=questions, is_training=False, version_2_with_negative=False),
        tokenizer=BertTokenizer(vocabulary),
        max_seq_length=LENGTH,
        doc_stride=STRIDE,
        max_query_length=QUESTION,
        is_training=False,
        output_fn=keep,
        verbose_logging=False,
    )
    for name, rows in columns.items():
        np.save(output / f"{name}.npy", np.array(rows, np.int64))
    index = {
        "schema_version": 1,
        "name": "squad-v1.1-dev",
        "samples": len(columns["input_ids"]),
        "inputs": [{"name": name, "file": f"{name}.npy"} for name in columns],
        "labels": None,
        "metric": None,
        "response": "stacked",
    }
    (output / "dataset.json").write_text(json.dumps(index, indent=2) + "\n")


main(*sys.argv[1:5], Path(sys.argv[5]))
