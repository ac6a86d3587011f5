"""Score LoadGen's accuracy log against the data set's labels; writes accuracy.txt as the official scripts do."""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np


def main(out: Path, dataset: Path) -> int:
    """Count the right answers."""
    description = json.loads((dataset / "dataset.json").read_text())
    labels = np.load(dataset / description["labels"])
    log = out / "mlperf_log_accuracy.json"
    entries = json.loads(log.read_text())
    answers = {entry["qsl_idx"]: int.from_bytes(bytes.fromhex(entry["data"]), "little") for entry in entries}
    good = sum(int(labels[index]) == answer for index, answer in answers.items())
    digest = hashlib.sha256(log.read_bytes()).hexdigest()
    text = f"accuracy={100 * good / len(answers):.3f}%, good={good}, total={len(answers)}\nhash={digest}\n"
    (out / "accuracy.txt").write_text(text)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), Path(sys.argv[2])))
