"""Judge LoadGen's accuracy log against a data set's labels. Standard library, and numpy for nn1 only."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.sut.faults import SutError

ACCURACY_LOG = "mlperf_log_accuracy.json"
ACCURACY_TEXT = "accuracy.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A judged log: `value` = good / total, a fraction."""

    metric: str
    good: int
    total: int
    log_sha256: str

    @property
    def value(self) -> float:
        """Share of good samples."""
        return self.good / self.total

    def text(self) -> str:
        """The content of accuracy.txt, in the form of the official scripts."""
        return f"accuracy={100 * self.value:.3f}%, good={self.good}, total={self.total}\nhash={self.log_sha256}\n"

    def as_json(self) -> dict[str, object]:
        """For report.json."""
        return {
            "metric": self.metric,
            "value": self.value,
            "good": self.good,
            "total": self.total,
            "log_sha256": self.log_sha256,
        }


def judge(log: Path, metric: str, labels: Sequence[int], expected: int) -> Accuracy:
    """Compare each logged answer with its label; SutError unless exactly `expected` samples were answered."""
    text = log.read_bytes()
    answers = logged_answers(text)
    if len(answers) != expected:
        raise SutError(f"{log}: {len(answers)} samples were answered, {expected} were asked")
    stray = [index for index in answers if not 0 <= index < len(labels)]
    if stray:
        raise SutError(f"{log}: sample {stray[0]} is beyond the {len(labels)} labels")
    good = _METRICS[metric](answers, labels)
    return Accuracy(metric=metric, good=good, total=expected, log_sha256=hashlib.sha256(text).hexdigest())


def logged_answers(text: bytes) -> dict[int, bytes]:
    """Response bytes by sample index, ascending; of a sample answered twice (padded queries) the first counts."""
    answers: dict[int, bytes] = {}
    try:
        for entry in json.loads(text):
            answers.setdefault(int(entry["qsl_idx"]), bytes.fromhex(entry["data"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SutError(f"{ACCURACY_LOG} is malformed: {error}") from error
    return dict(sorted(answers.items()))


def _top1(answers: dict[int, bytes], labels: Sequence[int]) -> int:
    """Answers are one int32 class each."""
    return sum(_unpacked("<i", index, answer) == int(labels[index]) for index, answer in answers.items())


def _unpacked(form: str, index: int, answer: bytes) -> int:
    if len(answer) != struct.calcsize(form):
        raise SutError(f"{ACCURACY_LOG}: the answer to sample {index} has {len(answer)} bytes, not 4")
    number: int = struct.unpack(form, answer)[0]
    return number


def _nn1(answers: dict[int, bytes], labels: Sequence[int]) -> int:
    """Leave-one-out: the label of the most similar other sample (cosine of float32 vectors) against the own one."""
    import numpy as np

    if len(answers) < 2 or len({len(answer) for answer in answers.values()}) != 1:
        raise SutError(f"{ACCURACY_LOG}: nn1 needs two samples or more with vectors of one length")
    vectors = np.stack([np.frombuffer(answer, "<f4") for answer in answers.values()]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    own = np.array([int(labels[index]) for index in answers])
    return int((own[likeness.argmax(1)] == own).sum())


_METRICS: dict[str, Callable[[dict[int, bytes], Sequence[int]], int]] = {"top1": _top1, "nn1": _nn1}
