"""A model of a hundred bytes: y = Relu(x), x float32 of shape [batch, 4]; written field by field, with no library.

Field numbers are those of onnx.proto (ModelProto, GraphProto, NodeProto, ValueInfoProto, TypeProto).
"""

from __future__ import annotations

_FLOAT = 1


def tiny_onnx() -> bytes:
    """The file's bytes."""
    node = _text(1, "x") + _text(2, "y") + _text(4, "Relu")
    graph = _nested(1, node) + _text(2, "tiny") + _nested(11, _value("x")) + _nested(12, _value("y"))
    return _number(1, 8) + _nested(7, graph) + _nested(8, _number(2, 13))


def _value(name: str) -> bytes:
    shape = _nested(1, _text(2, "batch")) + _nested(1, _number(1, 4))
    return _text(1, name) + _nested(2, _nested(1, _number(1, _FLOAT) + _nested(2, shape)))


def _number(field: int, value: int) -> bytes:
    return bytes([field << 3, value])


def _text(field: int, value: str) -> bytes:
    return _nested(field, value.encode())


def _nested(field: int, content: bytes) -> bytes:
    assert len(content) < 128
    return bytes([field << 3 | 2, len(content)]) + content
