"""Turn labelled pictures into model inputs, with the preprocessing that the stated accuracies were measured with.

The label (0-based) is in the file's name: `imagenet_<number>_<label>.jpg`, `cifar10_<number>_<label>.png`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from orchestrator.preparation.dataset import Dataset, name_parameter
from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs

IMAGENET_SIZE = 224
IMAGENET_CROP = 224 / 256
CIFAR_SIZE = 32
CIFAR_SCALE = 1 / 128  # of the int8 model's input; its zero point is 0
_NAME = re.compile(r"_(\d+)_(\d+)\.(?:jpg|png)$")


def imagenet(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """`images` float32 [N, 3, 224, 224]: central square, bicubic, (x - 127) / 128."""
    name = name_parameter(parameters, "imagenet")
    files = inputs.all("imagenet_*.jpg")
    images = np.stack([imagenet_picture(_open(path)) for path in files])
    _write(Dataset(name, {"images": images}, _labels(files), "top1", "argmax"), output, say)


def cifar10(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """`images` int8 [N, 32, 32, 3]: x / 255, quantised with scale 1/128 and zero point 0."""
    name = name_parameter(parameters, "cifar10")
    files = inputs.all("cifar10_*.png")
    images = np.stack([cifar10_picture(_open(path)) for path in files])
    _write(Dataset(name, {"images": images}, _labels(files), "top1", "argmax"), output, say)


def imagenet_picture(picture: Image.Image) -> np.ndarray:
    """One RGB picture as float32 [3, 224, 224]."""
    width, height = picture.size
    side = int(IMAGENET_CROP * min(width, height))
    left, top = (width - side) // 2, (height - side) // 2
    square = picture.crop((left, top, left + side, top + side))
    small = square.resize((IMAGENET_SIZE, IMAGENET_SIZE), Image.Resampling.BICUBIC)
    pixels = np.asarray(small, np.float32)
    return ((pixels - np.float32(127)) / np.float32(128)).transpose(2, 0, 1)


def cifar10_picture(picture: Image.Image) -> np.ndarray:
    """One RGB picture of 32 × 32 as int8 [32, 32, 3]."""
    if picture.size != (CIFAR_SIZE, CIFAR_SIZE):
        raise BadInput(f"a CIFAR picture of {picture.size[0]}x{picture.size[1]} pixels; expected 32x32")
    real = np.asarray(picture, np.float64) / 255
    return np.clip(np.rint(real / CIFAR_SCALE), -128, 127).astype(np.int8)


def _open(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise BadInput(f"{path.name} is not a readable picture: {error}") from error


def _labels(files: tuple[Path, ...]) -> np.ndarray:
    labels = []
    for path in files:
        match = _NAME.search(path.name)
        if match is None:
            raise BadInput(f"{path.name} does not carry a label in its name")
        labels.append(int(match[2]))
    return np.array(labels, np.int32)


def _write(dataset: Dataset, output: Path, say: Callable[[str], None]) -> None:
    say(f"wrote {dataset.name}: {dataset.write(output)} samples")
