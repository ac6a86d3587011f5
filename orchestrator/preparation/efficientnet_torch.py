"""Write EfficientNet-Lite0 as a PyTorch program (torch.export, .pt2) from its published weights.

Batch normalisation is folded into the convolutions, as in the ONNX form.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from orchestrator.preparation.efficientnet_stages import (
    BATCH_NORM_EPSILON,
    IMAGE_SIZE,
    STAGES,
    Stage,
    same_padding,
)
from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs
from orchestrator.preparation.torch_weights import read_state_dict

OUTPUT = "model.pt2"
MOST_SAMPLES = 4096  # of a batch


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """Write model.pt2 (`images` float32 [N, 3, 224, 224] to logits [N, 1000]) from the one `.pth` among the inputs."""
    if parameters:
        raise BadInput(f"this step takes no parameter {sorted(parameters)[0]!r}")
    source = inputs.one("*.pth")
    say(f"reading {source.name}")
    model = build(read_state_dict(source)).eval()
    batch = torch.export.Dim("batch", min=1, max=MOST_SAMPLES)
    example = torch.zeros(2, 3, IMAGE_SIZE, IMAGE_SIZE)
    with torch.inference_mode():
        program = torch.export.export(model, (example,), dynamic_shapes={"images": {0: batch}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # lines of this file: the bytes would change with every edit
    torch.export.save(program, output / OUTPUT)
    say(f"wrote {OUTPUT}, {(output / OUTPUT).stat().st_size} bytes")


def build(weights: Mapping[str, np.ndarray]) -> Any:
    """The module, its weights loaded."""
    maker = _Maker(weights)
    layers = [maker.convolution("_conv_stem", "_bn0", stride=2), nn.ReLU6()]
    index = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            layers.append(_Block(maker, index, stage, first=repeat == 0))
            index += 1
    layers += [maker.convolution("_conv_head", "_bn1"), nn.ReLU6(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return _Classifier(nn.Sequential(*layers), maker.linear("_fc"))


class _Classifier(nn.Module):  # type: ignore[misc]
    def __init__(self, features: Any, classes: Any) -> None:
        super().__init__()
        self.features = features
        self.classes = classes

    def forward(self, images: Any) -> Any:
        return self.classes(self.features(images))


class _Block(nn.Module):  # type: ignore[misc]
    """Widen, filter each channel, narrow; with a way around where the shape stays."""

    def __init__(self, maker: _Maker, index: int, stage: Stage, *, first: bool) -> None:
        super().__init__()
        source, stride = f"_blocks.{index}", stage.stride if first else 1
        layers = []
        if stage.expansion != 1:
            layers += [maker.convolution(f"{source}._expand_conv", f"{source}._bn0"), nn.ReLU6()]
        wide = maker.convolution(f"{source}._depthwise_conv", f"{source}._bn1", stride=stride, depthwise=True)
        layers += [wide, nn.ReLU6(), maker.convolution(f"{source}._project_conv", f"{source}._bn2")]
        self.layers = nn.Sequential(*layers)
        self.around = stride == 1 and (not first or stage.channels_in == stage.channels_out)

    def forward(self, x: Any) -> Any:
        out = self.layers(x)
        return out + x if self.around else out


class _Maker:
    """Layers from weights, one after another; `size` is the height and width of the present feature map."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = weights
        self._size = IMAGE_SIZE

    def convolution(self, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False) -> Any:
        """A convolution with its batch normalisation folded in."""
        weight = self._weight(f"{conv}.weight").astype(np.float64)
        mean, variance = (self._weight(f"{norm}.running_{part}").astype(np.float64) for part in ("mean", "var"))
        scale = self._weight(f"{norm}.weight").astype(np.float64) / np.sqrt(variance + BATCH_NORM_EPSILON)
        bias = self._weight(f"{norm}.bias").astype(np.float64) - mean * scale
        kernel = weight.shape[2]
        before, after = same_padding(self._size, kernel, stride)
        self._size = -(-self._size // stride)
        outputs = weight.shape[0]
        layer = nn.Conv2d(
            outputs if depthwise else weight.shape[1],
            outputs,
            kernel,
            stride,
            padding=before if before == after else 0,
            groups=outputs if depthwise else 1,
        )
        _set(layer, weight * scale[:, None, None, None], bias)
        return layer if before == after else nn.Sequential(nn.ZeroPad2d((before, after, before, after)), layer)

    def linear(self, name: str) -> Any:
        """The last layer."""
        weight, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        _set(layer, weight, bias)
        return layer

    def _weight(self, name: str) -> np.ndarray:
        try:
            return self._weights[name]
        except KeyError:
            raise BadInput(f"the weights file lacks {name}: not EfficientNet-Lite0") from None


def _set(layer: Any, weight: np.ndarray, bias: np.ndarray) -> None:
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(np.array(weight, np.float32)))
        layer.bias.copy_(torch.from_numpy(np.array(bias, np.float32)))
