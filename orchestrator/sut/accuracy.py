"""Judge LoadGen's accuracy log against a data set's labels. Standard library, and numpy for nn1 only."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.sut.faults import SutError
from orchestrator.sut.texts import names, word_errors, words

ACCURACY_LOG = "mlperf_log_accuracy.json"
ACCURACY_TEXT = "accuracy.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a metric finds: `good` of `of` things, samples or words; `words` says which."""

    good: int
    of: int
    words: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Accuracy:
    """A judged log of `total` samples: `value`, a fraction, is what the score's good things are of all."""

    metric: str
    score: Score
    total: int
    log_sha256: str

    @property
    def good(self) -> int | None:
        """How many samples are good; null where words are counted."""
        return None if self.score.words else self.score.good

    @property
    def value(self) -> float:
        """Share of good samples; for word accuracy 1 less the word error rate, which may be below 0."""
        return self.score.good / self.score.of

    def text(self) -> str:
        """The content of accuracy.txt, in the form of the official scripts."""
        good = f"words={self.score.of}, good_words={self.score.good}" if self.score.words else f"good={self.score.good}"
        return f"accuracy={100 * self.value:.3f}%, {good}, total={self.total}\nhash={self.log_sha256}\n"

    def as_json(self) -> dict[str, object]:
        """For report.json."""
        counted = {"words": self.score.of} if self.score.words else {}
        return {
            "metric": self.metric,
            "value": self.value,
            "good": self.good,
            "total": self.total,
            **counted,
            "log_sha256": self.log_sha256,
        }


def judge(log: Path, metric: str, labels: Sequence[int | bytes], expected: int) -> Accuracy:
    """Compare each logged answer with its label; SutError unless exactly `expected` samples were answered."""
    text = log.read_bytes()
    answers = logged_answers(text)
    if len(answers) != expected:
        raise SutError(f"{log}: {len(answers)} samples were answered, {expected} were asked")
    stray = [index for index in answers if not 0 <= index < len(labels)]
    if stray:
        raise SutError(f"{log}: sample {stray[0]} is beyond the {len(labels)} labels")
    score = _METRICS[metric](answers, labels)
    return Accuracy(metric=metric, score=score, total=expected, log_sha256=hashlib.sha256(text).hexdigest())


def logged_answers(text: bytes) -> dict[int, bytes]:
    """Response bytes by sample index, ascending; of a sample answered twice (padded queries) the first counts."""
    answers: dict[int, bytes] = {}
    try:
        for entry in json.loads(text):
            answers.setdefault(int(entry["qsl_idx"]), bytes.fromhex(entry["data"]))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise SutError(f"{ACCURACY_LOG} is malformed: {error}") from error
    return dict(sorted(answers.items()))


def _top1(answers: dict[int, bytes], labels: Sequence[int | bytes]) -> Score:
    """Answers are one int32 class each."""
    good = sum(_unpacked("<i", index, answer) == int(labels[index]) for index, answer in answers.items())
    return Score(good=good, of=len(answers))


def _unpacked(form: str, index: int, answer: bytes) -> int:
    if len(answer) != struct.calcsize(form):
        raise SutError(f"{ACCURACY_LOG}: the answer to sample {index} has {len(answer)} bytes, not 4")
    number: int = struct.unpack(form, answer)[0]
    return number


def _nn1(answers: dict[int, bytes], labels: Sequence[int | bytes]) -> Score:
    """Leave-one-out: the label of the most similar other sample (cosine of float32 vectors) against the own one."""
    import numpy as np

    if len(answers) < 2 or len({len(answer) for answer in answers.values()}) != 1:
        raise SutError(f"{ACCURACY_LOG}: nn1 needs two samples or more with vectors of one length")
    vectors = np.stack([np.frombuffer(answer, "<f4") for answer in answers.values()]).astype(np.float64)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    own = np.array([int(labels[index]) for index in answers])
    return Score(good=int((own[likeness.argmax(1)] == own).sum()), of=len(answers))


def _word_accuracy(answers: dict[int, bytes], labels: Sequence[int | bytes]) -> Score:
    """Answers are texts; over all words that were spoken, those that were not heard wrong."""
    spoken = {index: words(_text(labels[index])) for index in answers}
    errors = sum(word_errors(words(_text(answer)), spoken[index]) for index, answer in answers.items())
    total = sum(map(len, spoken.values()))
    if not total:
        raise SutError("the transcripts hold no word")
    return Score(good=total - errors, of=total, words=True)


def _named(answers: dict[int, bytes], labels: Sequence[int | bytes]) -> Score:
    """Answers are texts; one is good that names what its label says."""
    good = sum(names(_text(answer), _text(labels[index])) for index, answer in answers.items())
    return Score(good=good, of=len(answers))


def _text(raw: int | bytes) -> str:
    """A text of a log or a label, without the NUL bytes that fill it up."""
    return bytes(raw).rstrip(b"\0").decode("utf-8", "replace")


_METRICS: dict[str, Callable[[dict[int, bytes], Sequence[int | bytes]], Score]] = {
    "top1": _top1,
    "nn1": _nn1,
    "word_accuracy": _word_accuracy,
    "answers": _named,
}
