"""An accuracy log is judged against labels only when every sample was answered once."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sut.accuracy import judge, logged_answers
from orchestrator.sut.faults import SutError


def entry(index: int, answer: int, sequence: int = 0) -> dict[str, object]:
    return {"seq_id": sequence, "qsl_idx": index, "data": answer.to_bytes(4, "little", signed=True).hex().upper()}


def log_of(folder: Path, *entries: object) -> Path:
    path = folder / "mlperf_log_accuracy.json"
    path.write_text(json.dumps(entries))
    return path


def test_right_classes_are_counted_in_whatever_order_they_were_answered(tmp_path: Path) -> None:
    log = log_of(tmp_path, entry(2, 7), entry(0, 5), entry(1, -1))
    found = judge(log, "top1", [5, 3, 7], 3)
    assert (found.good, found.total) == (2, 3)
    assert found.log_sha256 == hashlib.sha256(log.read_bytes()).hexdigest()
    assert found.text() == f"accuracy=66.667%, good=2, total=3\nhash={found.log_sha256}\n"


def test_of_a_sample_answered_twice_the_first_answer_counts(tmp_path: Path) -> None:
    assert judge(log_of(tmp_path, entry(0, 1), entry(0, 2)), "top1", [1], 1).good == 1


def test_a_sample_without_an_answer_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SutError, match="1 samples were answered, 2 were asked"):
        judge(log_of(tmp_path, entry(0, 1)), "top1", [1, 1], 2)


def test_a_sample_beyond_the_labels_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SutError, match="sample 9 is beyond"):
        judge(log_of(tmp_path, entry(9, 1)), "top1", [1], 1)


@pytest.mark.parametrize("data", ["", "00", "0000000000"])
def test_an_answer_that_is_no_class_is_an_error(tmp_path: Path, data: str) -> None:
    with pytest.raises(SutError, match="bytes, not 4"):
        judge(log_of(tmp_path, {"qsl_idx": 0, "data": data}), "top1", [0], 1)


@given(st.binary() | st.recursive(st.none() | st.floats() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()))
def test_a_malformed_log_is_never_more_than_an_error(text: bytes) -> None:
    try:
        answers = logged_answers(text)
    except SutError:
        return
    assert all(isinstance(answer, bytes) for answer in answers.values())
