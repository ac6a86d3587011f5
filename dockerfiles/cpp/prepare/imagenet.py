"""ImageNet as a prepared data set, with MLCommons' own preprocessing (its python folder on PYTHONPATH).

Usage: imagenet.py PICTURES_FOLDER LAYOUT OUTPUT_FOLDER    (LAYOUT: nchw or nhwc; the order is val_map.txt's)
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from dataset import pre_process_vgg

SIDE = 224


def main(pictures: Path, layout: str, output: Path) -> None:
    """Write images.npy, float32 [N, 3, 224, 224] or [N, 224, 224, 3], and dataset.json last."""
    lines = (pictures / "val_map.txt").read_text().splitlines()
    entries = [line.split() for line in lines if line.strip()]
    first = layout == "nchw"
    shape = (3, SIDE, SIDE) if first else (SIDE, SIDE, 3)
    images = np.lib.format.open_memmap(output / "images.npy", mode="w+", dtype=np.float32, shape=(len(entries), *shape))
    for place, (name, *_) in enumerate(entries):
        picture = cv2.imread(str(pictures / name))
        if picture is None:
            sys.exit(f"error: {pictures / name} is missing or no picture")
        images[place] = pre_process_vgg(picture, dims=[SIDE, SIDE, 3], need_transpose=first)
        if place % 5000 == 0:
            sys.stdout.write(f"{place} of {len(entries)} pictures\n")
    images.flush()
    index = {
        "schema_version": 1,
        "name": "imagenet-2012-val",
        "samples": len(entries),
        "inputs": [{"name": "images", "file": "images.npy"}],
        "labels": None,  # the official script scores the log
        "metric": None,
        "response": "argmax_from_1",  # the models have a class for the background before the thousand
    }
    (output / "dataset.json").write_text(json.dumps(index, indent=2) + "\n")


main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
