"""Read two kinds of pickle with a closed list of stand-ins: nothing named in a file is imported or called.

Standard library only. What a tensor or an array means is left to the steps.
"""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Protocol, cast

from orchestrator.preparation.fault import BadInput


@dataclass(frozen=True)
class Storage:
    """A tensor's storage as a torch pickle names it: element type (`FloatStorage`), key, number of elements."""

    kind: str
    key: str
    elements: int


@dataclass(frozen=True)
class TensorView:
    """A tensor as a torch pickle describes it: a window on a storage. Offset and strides count elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class PickledArray:
    """A numpy array as its pickle describes it: shape, dtype code such as `i8`, byte order, raw bytes."""

    def __init__(self) -> None:
        self.shape: tuple[int, ...] = ()
        self.code = ""
        self.order = "|"
        self.raw = b""

    def __setstate__(self, state: object) -> None:
        match state:
            case (int(), tuple(shape), PickledDtype() as dtype, bool() | int(), str() | bytes() as raw):
                self.shape = shape
                self.code = dtype.code
                self.order = dtype.order
                self.raw = raw.encode("latin-1") if isinstance(raw, str) else raw
            case _:
                raise pickle.UnpicklingError("an array of an unknown form")


class PickledDtype:
    """A numpy dtype as its pickle describes it."""

    def __init__(self, code: str, *_rest: object) -> None:
        self.code = code
        self.order = "|"

    def __setstate__(self, state: object) -> None:
        match state:
            case (int(), str(order), *_):
                self.order = order
            case _:
                raise pickle.UnpicklingError("a dtype of an unknown form")


class Bunch(dict[str, object]):
    """Stand-in for the old `sklearn` container: a dictionary."""


def load_torch_structure(file: IO[bytes]) -> Mapping[str, TensorView]:
    """The next pickle of a legacy torch file as names and tensor windows; BadInput when it holds anything else."""
    allowed: dict[tuple[str, str], object] = {
        ("collections", "OrderedDict"): OrderedDict,
        ("torch._utils", "_rebuild_tensor_v2"): _tensor,
        ("torch", "FloatStorage"): "FloatStorage",
        ("torch", "LongStorage"): "LongStorage",
    }
    found = _load(file, allowed, persistent=_storage)
    if not isinstance(found, dict) or not all(isinstance(value, TensorView) for value in found.values()):
        raise BadInput("the weights file does not hold named tensors")
    return cast(Mapping[str, TensorView], found)


def load_plain(file: IO[bytes]) -> object:
    """The next pickle of a stream, which may hold only numbers, texts, lists, tuples and dictionaries."""
    return _load(file, {})


def load_bunch(file: IO[bytes]) -> Mapping[str, object]:
    """An old pickled `sklearn` Bunch, with arrays as `PickledArray`; BadInput when it holds anything else."""
    allowed: dict[tuple[str, str], object] = {
        ("copy_reg", "_reconstructor"): _reconstruct_bunch,
        ("sklearn.datasets.base", "Bunch"): Bunch,
        ("__builtin__", "dict"): dict,
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct_array,
        ("numpy", "ndarray"): PickledArray,
        ("numpy", "dtype"): PickledDtype,
    }
    found = _load(file, allowed)
    if not isinstance(found, Bunch):
        raise BadInput("the pickle does not hold a Bunch")
    return found


class _Readable(Protocol):
    def read(self, length: int, /) -> bytes: ...
    def readline(self) -> bytes: ...


class _Restricted(pickle.Unpickler):
    def __init__(
        self, file: _Readable, allowed: Mapping[tuple[str, str], object], persistent: Callable[[object], object] | None
    ) -> None:
        super().__init__(file, encoding="latin-1")
        self._allowed = allowed
        self._persistent = persistent

    def find_class(self, module: str, name: str) -> object:
        try:
            return self._allowed[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"refused to load {module}.{name}") from None

    def persistent_load(self, pid: object) -> object:
        if self._persistent is None:
            raise pickle.UnpicklingError("refused a persistent id")
        return self._persistent(pid)


def _load(
    file: IO[bytes],
    allowed: Mapping[tuple[str, str], object],
    persistent: Callable[[object], object] | None = None,
) -> object:
    try:
        return _Restricted(file, allowed, persistent).load()
    except Exception as error:  # pickle's own documentation: a damaged stream may raise nearly anything
        raise BadInput(f"not a pickle of the expected kind: {error}") from error


def _storage(pid: object) -> Storage:
    match pid:
        case ("storage", str(kind), str(key), str(), int(elements), *_) if elements >= 0:
            return Storage(kind, key, elements)
        case _:
            raise pickle.UnpicklingError("a storage of an unknown form")


def _tensor(storage: object, offset: object, shape: object, strides: object, *_rest: object) -> TensorView:
    match storage, offset, shape, strides:
        case Storage(), int(), tuple(), tuple():
            return TensorView(storage, offset, shape, strides)
        case _:
            raise pickle.UnpicklingError("a tensor of an unknown form")


def _reconstruct_bunch(kind: object, base: object, state: object) -> Bunch:
    if kind is not Bunch or base is not dict or not isinstance(state, dict):
        raise pickle.UnpicklingError("refused to reconstruct anything but a Bunch")
    return Bunch(state)


def _reconstruct_array(kind: object, *_rest: object) -> PickledArray:
    if kind is not PickledArray:
        raise pickle.UnpicklingError("refused to reconstruct anything but an array")
    return PickledArray()
