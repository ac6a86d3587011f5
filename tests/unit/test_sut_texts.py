"""Texts are judged by their words: transcripts by word errors, answers by what they name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sut.accuracy import judge
from orchestrator.sut.faults import SutError
from orchestrator.sut.texts import names, word_errors, words

WORDS = st.lists(st.sampled_from("abc"), max_size=8)


def log_of(folder: Path, *answers: str) -> Path:
    path = folder / "mlperf_log_accuracy.json"
    entries = [
        {"seq_id": place, "qsl_idx": place, "data": answer.encode().ljust(40, b"\0").hex().upper()}
        for place, answer in enumerate(answers)
    ]
    path.write_text(json.dumps(entries))
    return path


@pytest.mark.parametrize(
    ("heard", "spoken", "errors"),
    [
        ("a b c", "a b c", 0),
        ("a c", "a b c", 1),
        ("a b b c", "a b c", 1),
        ("a x c", "a b c", 1),
        ("", "a b c", 3),
        ("a b c", "", 3),
    ],
)
def test_word_errors_are_words_put_in_left_out_or_replaced(heard: str, spoken: str, errors: int) -> None:
    assert word_errors(heard.split(), spoken.split()) == errors


@given(WORDS, WORDS)
def test_word_errors_are_a_distance(one: list[str], other: list[str]) -> None:
    found = word_errors(one, other)
    assert found == word_errors(other, one)
    assert abs(len(one) - len(other)) <= found <= max(len(one), len(other))
    assert (found == 0) == (one == other)


def test_case_accents_and_punctuation_are_not_heard() -> None:
    assert words("“That’s Brasília!” (twice-told)") == ["that's", "brasilia", "twice", "told"]


@pytest.mark.parametrize(
    ("answer", "wanted", "good"),
    [
        ("The capital of Brazil is Brasilia.", "Brasília", True),
        ("New Delhi, a city", "New Delhi", True),
        ("Delhi is new", "New Delhi", False),
        ("Parisian", "Paris", False),
        ("anything", "", False),
    ],
)
def test_an_answer_is_good_that_names_what_was_asked_for(answer: str, wanted: str, good: bool) -> None:
    assert names(answer, wanted) is good


def test_word_accuracy_is_over_all_words_and_counts_no_samples(tmp_path: Path) -> None:
    log = log_of(tmp_path, "Hello world.", "good buy")
    found = judge(log, "word_accuracy", [b"hello world", b"good bye now"], 2)
    assert found.value == pytest.approx(1 - 2 / 5)
    assert found.as_json()["good"] is None
    assert (found.as_json()["words"], found.total) == (5, 2)
    assert found.text().startswith("accuracy=60.000%, words=5, good_words=3, total=2\n")


def test_answers_are_counted_by_sample(tmp_path: Path) -> None:
    found = judge(log_of(tmp_path, "It is Paris.", "It is London."), "answers", [b"Paris", b"Rome"], 2)
    assert (found.good, found.total, found.value) == (1, 2, 0.5)


def test_transcripts_without_a_word_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(SutError, match="no word"):
        judge(log_of(tmp_path, "hm"), "word_accuracy", [b""], 1)
