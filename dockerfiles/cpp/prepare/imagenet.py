"""ImageNet as a prepared data set, with MLCommons' own preprocessing (its python folder on PYTHONPATH).

Usage: imagenet.py PICTURES LAYOUT SIDE FORM CLASSES OUTPUT    (the order is val_map.txt's)
LAYOUT: nchw or nhwc. FORM: vgg, mobilenet (pixels to -1..1), efficientnet ((x - 127) / 128), or pixels (8-bit).
CLASSES: 1001 where the model has a class for the background before the thousand, else 1000.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from dataset import center_crop, pre_process_mobilenet, pre_process_vgg, resize_with_aspectratio


def _pixels(picture: np.ndarray, dims: list[int], need_transpose: bool) -> np.ndarray:
    """The cropped picture as it is."""
    rgb = cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
    cropped = center_crop(resize_with_aspectratio(rgb, dims[0], dims[1]), dims[0], dims[1])
    return cropped.transpose([2, 0, 1]) if need_transpose else cropped


def _efficientnet(picture: np.ndarray, dims: list[int], need_transpose: bool) -> np.ndarray:
    return (_pixels(picture, dims, need_transpose).astype(np.float32) - 127.0) / 128.0


FORMS: dict[str, Callable[..., np.ndarray]] = {
    "vgg": pre_process_vgg,
    "mobilenet": pre_process_mobilenet,
    "efficientnet": _efficientnet,
    "pixels": _pixels,
}


def main(pictures: Path, output: Path, *, layout: str, side: int, form: str, classes: int) -> None:
    """Write images.npy, [N, 3, side, side] or [N, side, side, 3], and dataset.json last."""
    lines = (pictures / "val_map.txt").read_text().splitlines()
    entries = [line.split() for line in lines if line.strip()]
    first = layout == "nchw"
    shape = (3, side, side) if first else (side, side, 3)
    kind = np.uint8 if form == "pixels" else np.float32
    images = np.lib.format.open_memmap(output / "images.npy", mode="w+", dtype=kind, shape=(len(entries), *shape))
    for place, (name, *_) in enumerate(entries):
        picture = cv2.imread(str(pictures / name))
        if picture is None:
            sys.exit(f"error: {pictures / name} is missing or no picture")
        images[place] = FORMS[form](picture, dims=[side, side, 3], need_transpose=first)
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
        "response": "argmax_from_1" if classes == 1001 else "argmax",
    }
    (output / "dataset.json").write_text(json.dumps(index, indent=2) + "\n")


_, _pictures_folder, _layout, _side, _form, _classes, _output = sys.argv
main(Path(_pictures_folder), Path(_output), layout=_layout, side=int(_side), form=_form, classes=int(_classes))
