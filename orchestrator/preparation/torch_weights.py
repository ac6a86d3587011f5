"""Read a torch weights file of the legacy format (a row of pickles, then raw storages) without torch."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from orchestrator.preparation.fault import BadInput
from orchestrator.preparation.pickles import Storage, TensorView, load_plain, load_torch_structure

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Names and arrays (float32 or int64, C order) of a state dict; BadInput when the file is of another kind."""
    with path.open("rb") as file:
        if load_plain(file) != _MAGIC or load_plain(file) != _PROTOCOL:
            raise BadInput(f"{path.name} is not a torch weights file of the legacy format")
        system = load_plain(file)
        if not isinstance(system, dict) or system.get("little_endian") is not True:
            raise BadInput(f"{path.name} was written on a big-endian machine")
        views = load_torch_structure(file)
        keys = load_plain(file)
        if not isinstance(keys, list):
            raise BadInput(f"{path.name} lists no storages")
        storages = _read_storages(file, keys, {view.storage.key: view.storage for view in views.values()})
    return {name: _array(name, view, storages) for name, view in views.items()}


def _read_storages(file: IO[bytes], keys: list[object], wanted: Mapping[str, Storage]) -> dict[str, np.ndarray]:
    storages = {}
    for key in keys:
        storage = wanted.get(str(key))
        if storage is None or storage.kind not in _DTYPES:
            raise BadInput(f"the weights file holds a storage {key!r} that no tensor uses")
        header = file.read(8)
        elements = struct.unpack("<q", header)[0] if len(header) == 8 else -1
        dtype = _DTYPES[storage.kind]
        raw = file.read(elements * dtype.itemsize) if elements == storage.elements else b""
        if len(raw) != storage.elements * dtype.itemsize:
            raise BadInput(f"the weights file is cut short in storage {key}")
        storages[storage.key] = np.frombuffer(raw, dtype)
    return storages


def _array(name: str, view: TensorView, storages: Mapping[str, np.ndarray]) -> np.ndarray:
    storage = storages.get(view.storage.key)
    if storage is None:
        raise BadInput(f"the weights file lacks the storage of {name}")
    last = view.offset + sum((size - 1) * stride for size, stride in zip(view.shape, view.strides, strict=True))
    if min((view.offset, last, *view.strides, *view.shape), default=0) < 0 or last >= len(storage):
        raise BadInput(f"tensor {name} reaches past its storage")
    width = storage.itemsize
    strides = tuple(stride * width for stride in view.strides)
    return np.ascontiguousarray(np.lib.stride_tricks.as_strided(storage[view.offset :], view.shape, strides))
