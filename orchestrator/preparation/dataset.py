"""Write a prepared data set: `dataset.json` and one .npy file per input, first axis = sample."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.preparation.fault import BadInput

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Dataset:
    """Arrays by input name, labels [samples] or None (numbers, or texts as UTF-8), how answers are read and scored."""

    name: str
    inputs: Mapping[str, np.ndarray]
    labels: np.ndarray | None
    metric: str | None
    response: str

    def write(self, folder: Path) -> int:
        """Write all files; returns the number of samples."""
        samples = {len(array) for array in self.inputs.values()} | (
            {len(self.labels)} if self.labels is not None else set()
        )
        if len(samples) != 1 or samples == {0}:
            raise BadInput(f"data set {self.name}: inputs and labels differ in length or are empty: {sorted(samples)}")
        for name, array in self.inputs.items():
            np.save(folder / f"{name}.npy", np.ascontiguousarray(array), allow_pickle=False)
        if self.labels is not None:
            kind = self.labels.dtype if self.labels.dtype.kind == "S" else np.int32
            np.save(folder / "labels.npy", np.ascontiguousarray(self.labels, kind), allow_pickle=False)
        count = samples.pop()
        (folder / "dataset.json").write_text(json.dumps(self._description(count), indent=2) + "\n", encoding="utf-8")
        return count

    def _description(self, samples: int) -> dict[str, object]:
        return {
            "schema_version": SCHEMA_VERSION,
            "name": self.name,
            "samples": samples,
            "inputs": [{"name": name, "file": f"{name}.npy"} for name in self.inputs],
            "labels": "labels.npy" if self.labels is not None else None,
            "metric": self.metric,
            "response": self.response,
        }


def name_parameter(parameters: Mapping[str, str], default: str) -> str:
    """The data set's name from the only parameter a data step takes, `name`; BadInput for any other."""
    unknown = sorted(set(parameters) - {"name"})
    if unknown:
        raise BadInput(f"unknown parameter {unknown[0]!r}; a data step takes 'name'")
    return parameters.get("name", default)
