"""Build EfficientNet-Lite0 as ONNX straight from its published weights file: same weights, same bytes.

Batch normalisation is folded into the convolutions; TensorFlow's `same` padding for 224 × 224 is written out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from orchestrator.preparation.efficientnet_stages import (
    BATCH_NORM_EPSILON,
    CLASSES,
    IMAGE_SIZE,
    STAGES,
    Stage,
    same_padding,
)
from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.inputs import Inputs
from orchestrator.preparation.torch_weights import read_state_dict

OPSET = 13
IR_VERSION = 7
OUTPUT = "model.onnx"


@dataclass
class _Graph:
    """Nodes and weights as they are added, in order; `size` is the height and width of the present feature map."""

    weights: dict[str, np.ndarray]
    size: int = IMAGE_SIZE
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: np.ndarray) -> str:
        """Add a weight of the graph."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), name))
        return name

    def convolution(self, x: str, name: str, *, conv: str, norm: str, stride: int = 1, depthwise: bool = False) -> str:
        """Add a convolution with its batch normalisation folded in; no activation."""
        weight = self._weight(f"{conv}.weight").astype(np.float64)
        scale = self._weight(f"{norm}.weight").astype(np.float64)
        variance = self._weight(f"{norm}.running_var").astype(np.float64)
        scale = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
        mean = self._weight(f"{norm}.running_mean").astype(np.float64)
        bias = self._weight(f"{norm}.bias").astype(np.float64) - mean * scale
        kernel = weight.shape[2]
        before, after = same_padding(self.size, kernel, stride)
        self.nodes.append(
            helper.make_node(
                "Conv",
                [
                    x,
                    self.constant(f"{name}.weight", weight * scale[:, None, None, None]),
                    self.constant(f"{name}.bias", bias),
                ],
                [f"{name}.out"],
                name=name,
                kernel_shape=[kernel, kernel],
                strides=[stride, stride],
                pads=[before, before, after, after],
                group=weight.shape[0] if depthwise else 1,
            )
        )
        self.size = -(-self.size // stride)
        return f"{name}.out"

    def relu6(self, x: str) -> str:
        """Add the activation."""
        return self.node("Clip", [x, "zero", "six"], x.removesuffix(".out") + ".relu6")

    def node(self, operator: str, inputs: list[str], name: str, **attributes: int) -> str:
        """Add a node with one output of the same name."""
        self.nodes.append(helper.make_node(operator, inputs, [name], name=name, **attributes))
        return name

    def _weight(self, name: str) -> np.ndarray:
        try:
            return self.weights[name]
        except KeyError:
            raise BadInput(f"the weights file lacks {name}: not EfficientNet-Lite0") from None


def build(weights: dict[str, np.ndarray]) -> onnx.ModelProto:
    """The model: `images` float32 [N, 3, 224, 224] to `logits` float32 [N, 1000]."""
    graph = _Graph(weights)
    graph.constant("zero", np.array(0.0))
    graph.constant("six", np.array(6.0))
    x = graph.relu6(graph.convolution("images", "stem", conv="_conv_stem", norm="_bn0", stride=2))
    index = 0
    for stage in STAGES:
        for repeat in range(stage.repeats):
            x = _block(graph, x, index, stage, first=repeat == 0)
            index += 1
    x = graph.relu6(graph.convolution(x, "head", conv="_conv_head", norm="_bn1"))
    x = graph.node("GlobalAveragePool", [x], "pool")
    x = graph.node("Flatten", [x], "features", axis=1)
    weight = graph.constant("classifier.weight", weights["_fc.weight"])
    bias = graph.constant("classifier.bias", weights["_fc.bias"])
    graph.node("Gemm", [x, weight, bias], "logits", transB=1)
    return _model(graph)


def prepare(inputs: Inputs, output: Path, parameters: dict[str, str], say: Callable[[str], None]) -> None:
    """Write the ONNX file from the one `.pth` file among the inputs."""
    if parameters:
        raise BadInput(f"this step takes no parameter {sorted(parameters)[0]!r}")
    source = inputs.one("*.pth")
    say(f"reading {source.name}")
    model = build(read_state_dict(source))
    onnx.checker.check_model(model, full_check=True)
    raw = model.SerializeToString(deterministic=True)
    (output / OUTPUT).write_bytes(raw)
    say(f"wrote {OUTPUT}, {len(raw)} bytes")


def _block(graph: _Graph, x: str, index: int, stage: Stage, *, first: bool) -> str:
    name, source = f"block{index:02d}", f"_blocks.{index}"
    entry = x
    stride = stage.stride if first else 1
    if stage.expansion != 1:
        expand = f"{name}.expand"
        x = graph.relu6(graph.convolution(x, expand, conv=f"{source}._expand_conv", norm=f"{source}._bn0"))
    depthwise = graph.convolution(
        x,
        f"{name}.depthwise",
        conv=f"{source}._depthwise_conv",
        norm=f"{source}._bn1",
        stride=stride,
        depthwise=True,
    )
    x = graph.relu6(depthwise)
    x = graph.convolution(x, f"{name}.project", conv=f"{source}._project_conv", norm=f"{source}._bn2")
    same_shape = stride == 1 and (not first or stage.channels_in == stage.channels_out)
    return graph.node("Add", [x, entry], f"{name}.sum") if same_shape else x


def _model(graph: _Graph) -> onnx.ModelProto:
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 3, IMAGE_SIZE, IMAGE_SIZE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", CLASSES])
    body = helper.make_graph(graph.nodes, "efficientnet-lite0", [images], [logits], graph.initializers)
    return helper.make_model(
        body,
        producer_name="mlperf-docker",
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
