"""Small ONNX graphs written field by field, with no library: shapes and answers that no fixture has.

Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FLOAT, INT64 = 1, 7
_INT, _INTS = 2, 7  # kinds of attributes


def model(
    nodes: Sequence[bytes],
    inputs: Sequence[bytes],
    outputs: Sequence[bytes],
    *,
    tensors: Sequence[bytes] = (),
    name: str = "tiny",
    ir_version: int = 8,
    opset: int = 13,
) -> bytes:
    """A model's bytes out of what `node`, `value` and `tensor` give."""
    body = b"".join(_nested(1, one) for one in nodes) + _text(2, name)
    body += b"".join(_nested(5, one) for one in tensors)
    body += b"".join(_nested(11, one) for one in inputs) + b"".join(_nested(12, one) for one in outputs)
    return _number(1, ir_version) + _nested(7, body) + _nested(8, _number(2, opset))


def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: int | tuple[int, ...]) -> bytes:
    """One operation; attributes are whole numbers, or several of them."""
    written = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs)
    return written + _text(4, operator) + b"".join(_nested(5, _attribute(*each)) for each in attributes.items())


def value(name: str, kind: int, dims: Sequence[str | int]) -> bytes:
    """An input or output: its element type, and its dimensions (a name: an open one)."""
    sizes = b"".join(_nested(1, _text(2, dim) if isinstance(dim, str) else _number(1, dim)) for dim in dims)
    return _text(1, name) + _nested(2, _nested(1, _number(1, kind) + _nested(2, sizes)))


def tensor(name: str, dims: Sequence[int], numbers: Sequence[float]) -> bytes:
    """Weights, float32."""
    sizes = b"".join(_number(1, size) for size in dims)
    return sizes + _number(2, FLOAT) + _text(8, name) + _nested(9, struct.pack(f"<{len(numbers)}f", *numbers))


def rectifier() -> bytes:
    """A model of a hundred bytes: y = Relu(x), float32 of shape [batch, 4]."""
    x, y = (value(name, FLOAT, ("batch", 4)) for name in "xy")
    return model([node("Relu", ("x",), ("y",))], [x], [y])


def question_answering(tokens: int) -> bytes:
    """As BERT's: three int64 inputs [batch, tokens]; start = ids × mask, end = ids + segments, both float32."""
    names, outputs = ("input_ids", "input_mask", "segment_ids"), ("start_logits", "end_logits")
    casts = [node("Cast", (name,), (f"{name}_f",), to=FLOAT) for name in names]
    ids, mask, segments = (f"{name}_f" for name in names)
    return model(
        [*casts, node("Mul", (ids, mask), outputs[:1]), node("Add", (ids, segments), outputs[1:])],
        [value(name, INT64, ("batch", tokens)) for name in names],
        [value(name, FLOAT, ("batch", tokens)) for name in outputs],
    )


def _attribute(name: str, given: int | tuple[int, ...]) -> bytes:
    if isinstance(given, int):
        return _text(1, name) + _number(3, given) + _number(20, _INT)
    return _text(1, name) + b"".join(_number(8, one) for one in given) + _number(20, _INTS)


def _number(field: int, given: int) -> bytes:
    return _varint(field << 3) + _varint(given)


def _text(field: int, given: str) -> bytes:
    return _nested(field, given.encode())


def _nested(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(given: int) -> bytes:
    found = bytearray()
    while given > 0x7F:
        found.append(given & 0x7F | 0x80)
        given >>= 7
    return bytes([*found, given])
