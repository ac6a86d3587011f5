"""Small ONNX graphs written field by field, with no library, for shapes that the fixtures lack.

Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto).
"""

from __future__ import annotations

from collections.abc import Sequence

FLOAT, INT64 = 1, 7
_IR_VERSION, _OPSET = 8, 13


def graph(nodes: Sequence[bytes], inputs: dict[str, tuple[int, Sequence[str | int]]], outputs: Sequence[str]) -> bytes:
    """A model's bytes; an input is (element type, dimensions); outputs are float32 and of the first input's shape."""
    shape = next(iter(inputs.values()))[1]
    body = b"".join(_nested(1, node) for node in nodes) + _text(2, "tiny")
    body += b"".join(_nested(11, _value(name, kind, dims)) for name, (kind, dims) in inputs.items())
    body += b"".join(_nested(12, _value(name, FLOAT, shape)) for name in outputs)
    return _number(1, _IR_VERSION) + _nested(7, body) + _nested(8, _number(2, _OPSET))


def node(operator: str, inputs: Sequence[str], output: str, **whole_numbers: int) -> bytes:
    """One operation with one output; attributes are whole numbers."""
    written = b"".join(_text(1, name) for name in inputs) + _text(2, output) + _text(4, operator)
    return written + b"".join(
        _nested(5, _text(1, name) + _number(3, value) + _number(20, 2)) for name, value in whole_numbers.items()
    )


def question_answering(tokens: int) -> bytes:
    """As BERT's: three int64 inputs [batch, tokens]; start = ids × mask, end = ids + segments, both float32."""
    dims = ("batch", tokens)
    names = ("input_ids", "input_mask", "segment_ids")
    casts = [node("Cast", (name,), f"{name}_f", to=FLOAT) for name in names]
    ids, mask, segments = (f"{name}_f" for name in names)
    return graph(
        [*casts, node("Mul", (ids, mask), "start_logits"), node("Add", (ids, segments), "end_logits")],
        dict.fromkeys(names, (INT64, dims)),
        ("start_logits", "end_logits"),
    )


def _value(name: str, kind: int, dims: Sequence[str | int]) -> bytes:
    sizes = b"".join(_nested(1, _text(2, dim) if isinstance(dim, str) else _number(1, dim)) for dim in dims)
    return _text(1, name) + _nested(2, _nested(1, _number(1, kind) + _nested(2, sizes)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _nested(field, value.encode())


def _nested(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
