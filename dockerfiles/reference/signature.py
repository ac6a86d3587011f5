"""Check that a model of the user's fits a benchmark. Usage: signature.py MODEL REPORT INPUTS OUTPUTS

INPUTS and OUTPUTS are comma-separated; each is NAME:TYPE:SHAPE with `*` for any name, and a shape such as ?x384 whose
`?` fits any size (an empty shape fits all). Writes what was found to REPORT; ends with 1 when it does not fit.
"""

import json
import sys
from pathlib import Path

import onnxruntime


def _described(values):  # type: ignore[no-untyped-def]
    return [{"name": one.name, "type": one.type, "shape": list(one.shape)} for one in values]


def _fits(wanted, found):  # type: ignore[no-untyped-def]
    name, kind, shape = wanted.rsplit(":", 2)
    if name not in ("*", found["name"]) or (kind and kind not in found["type"]):
        return False
    sizes = [size for size in shape.split("x") if size]
    if not sizes:
        return True
    return len(sizes) == len(found["shape"]) and all(
        size == "?" or not isinstance(have, int) or have == int(size)
        for size, have in zip(sizes, found["shape"], strict=True)
    )


def _faults(side, wanted, found):  # type: ignore[no-untyped-def]
    """What is missing of one side; names decide for inputs, the order for outputs without a name."""
    unused = list(found)
    for each in wanted:
        match = next((one for one in unused if _fits(each, one)), None)
        if match is None:
            yield f"no {side} fits {each}"
        else:
            unused.remove(match)
    if side == "input":
        yield from (f"input {one['name']} is one that the harness does not give" for one in unused)


def main(model, report, inputs, outputs):  # type: ignore[no-untyped-def]
    try:
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    except Exception as error:
        sys.exit(f"error: {model} cannot be loaded: {error}")
    found = {"inputs": _described(session.get_inputs()), "outputs": _described(session.get_outputs())}
    faults = [
        *_faults("input", inputs.split(","), found["inputs"]),
        *_faults("output", outputs.split(","), found["outputs"]),
    ]
    told = {**found, "wanted_inputs": inputs, "wanted_outputs": outputs, "faults": faults}
    Path(report).write_text(json.dumps(told, indent=2) + "\n")
    if faults:
        have = "; ".join(
            f"{side[:-1]} {one['name']} {one['type']} {one['shape']}" for side, all_ in found.items() for one in all_
        )
        sys.exit(f"error: the model does not fit the benchmark: {'; '.join(faults)} (it has: {have})")


main(*sys.argv[1:])
