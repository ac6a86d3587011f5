"""Read a GGUF model file: its settings and its tensors as float32. Needs numpy alone."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.preparation.fault import BadInput

Value = bool | int | float | str | list["Value"]

_MAGIC = b"GGUF"
_VERSIONS = {2, 3}
_ALIGNMENT = 32
_BLOCK = 32  # weights that share a scale
_PLAIN = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 10: "<Q", 11: "<q", 12: "<d"}
_BOOL, _STRING, _ARRAY = 7, 8, 9
_F32, _F16, _Q4_1, _Q8_0 = 0, 1, 3, 8
_MOST = 1 << 28  # of anything that the file counts: a broken file must not ask for all memory


@dataclass(frozen=True)
class _Place:
    shape: tuple[int, ...]
    kind: int
    offset: int


class Gguf:
    """A file, mapped: `settings` by name, tensors on demand."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            try:
                self._raw = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except ValueError as error:
                raise BadInput(f"{path.name} is empty") from error
        self._name = path.name
        self._at = 4
        if self._raw[:4] != _MAGIC or self._number("<I") not in _VERSIONS:
            raise BadInput(f"{path.name} is not a GGUF file of version 2 or 3")
        tensors, settings = self._count("<Q"), self._count("<Q")
        self.settings: dict[str, Value] = {}
        for _ in range(settings):
            name = self._text()
            self.settings[name] = self._value(self._count("<I"))
        self._places = dict(self._tensor() for _ in range(tensors))
        self._start = -(-self._at // _ALIGNMENT) * _ALIGNMENT

    def tensor(self, name: str) -> np.ndarray:
        """A tensor as float32 in C order (rows first); BadInput when it is missing, cut off, or of an unknown type."""
        place = self._places.get(name)
        if place is None:
            raise BadInput(f"{self._name} has no tensor '{name}'")
        reader = _READERS.get(place.kind)
        if reader is None:
            raise BadInput(f"{self._name}: tensor '{name}' is of type {place.kind}, which is not supported")
        decode, block_bytes, block = reader
        elements = int(np.prod(place.shape, dtype=np.int64))
        size_bytes = elements // block * block_bytes
        begin = self._start + place.offset
        raw = self._raw[begin : begin + size_bytes]
        if elements % block or len(raw) != size_bytes:
            raise BadInput(f"{self._name}: tensor '{name}' is cut off")
        return decode(raw).reshape(place.shape)

    def number(self, name: str) -> float:
        """A setting that is a number."""
        value = self.settings.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadInput(f"{self._name}: '{name}' is not a number")
        return value

    def texts(self, name: str) -> list[str]:
        """A setting that is a list of texts."""
        value = self.settings.get(name)
        if not isinstance(value, list):
            raise BadInput(f"{self._name}: '{name}' is not a list")
        return [str(item) for item in value]

    def _tensor(self) -> tuple[str, _Place]:
        name = self._text()
        sizes = [self._number("<Q") for _ in range(self._count("<I"))]
        kind, offset = self._number("<I"), self._number("<Q")
        return name, _Place(tuple(int(size) for size in reversed(sizes)), int(kind), int(offset))

    def _value(self, kind: int) -> Value:
        if kind in _PLAIN:
            return self._number(_PLAIN[kind])
        if kind == _BOOL:
            return bool(self._number("<B"))
        if kind == _STRING:
            return self._text()
        if kind == _ARRAY:
            inner = self._count("<I")
            return [self._value(inner) for _ in range(self._count("<Q"))]
        raise BadInput(f"{self._name}: a setting is of the unknown type {kind}")

    def _number(self, form: str) -> float | int:
        try:
            (value,) = struct.unpack_from(form, self._raw, self._at)
        except struct.error as error:
            raise BadInput(f"{self._name} is cut off") from error
        self._at += struct.calcsize(form)
        number: float | int = value
        return number

    def _count(self, form: str) -> int:
        number = int(self._number(form))
        if number > _MOST:
            raise BadInput(f"{self._name} is damaged: it counts {number} of something")
        return number

    def _text(self) -> str:
        size_bytes = self._count("<Q")
        raw = self._raw[self._at : self._at + size_bytes]
        if len(raw) != size_bytes:
            raise BadInput(f"{self._name} is cut off")
        self._at += size_bytes
        return raw.decode("utf-8", "replace")


def _f32(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, "<f4").astype(np.float32)


def _f16(raw: bytes) -> np.ndarray:
    return np.frombuffer(raw, "<f2").astype(np.float32)


def _q4_1(raw: bytes) -> np.ndarray:
    """Blocks of 32: scale and least value (half precision), then 4 bits each, the low halves first."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("least", "<f2"), ("packed", "u1", 16)]))
    packed = blocks["packed"]
    quarters = np.concatenate([packed & 15, packed >> 4], axis=1).astype(np.float32)
    return quarters * blocks["scale"].astype(np.float32)[:, None] + blocks["least"].astype(np.float32)[:, None]


def _q8_0(raw: bytes) -> np.ndarray:
    """Blocks of 32: scale (half precision), then 8 bits each."""
    blocks = np.frombuffer(raw, np.dtype([("scale", "<f2"), ("whole", "i1", 32)]))
    return blocks["whole"].astype(np.float32) * blocks["scale"].astype(np.float32)[:, None]


_READERS: dict[int, tuple[Callable[[bytes], np.ndarray], int, int]] = {  # decoder, bytes of a block, weights in it
    _F32: (_f32, 4, 1),
    _F16: (_f16, 2, 1),
    _Q4_1: (_q4_1, 20, _BLOCK),
    _Q8_0: (_q8_0, 34, _BLOCK),
}
