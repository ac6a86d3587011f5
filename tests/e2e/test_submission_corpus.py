"""A whole published round: what was accepted then is accepted here, and every figure is the published one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from orchestrator.controller.submission import check_submission
from orchestrator.domain.submission import CheckedResult, Weight
from orchestrator.submission.check.walk import Checked
from tests.e2e.corpus import Corpus, unpacked

pytestmark = pytest.mark.slow

# Found by an official rule, and published all the same (docs/verification.md).
EXPLAINED = {
    "accuracy_outputs": 40,  # no picture is in the archive, nor in the list of what was left out of it
    "accuracy_samples": 1,  # an open result over part of the data set; why it was accepted is not known here
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return unpacked(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def checked(corpus: Corpus) -> Checked:
    return check_submission(corpus.tree, "v5.1", left_out=corpus.left_out)


@pytest.fixture(scope="module")
def published(corpus: Corpus) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(corpus.summary.read_text())
    assert len(found) == 1448
    return found


def location(result: CheckedResult) -> str:
    place = result.place
    return f"{place.division}/{place.submitter}/results/{place.system}/{place.benchmark}/{place.scenario}".lower()


def matched(checked: Checked, published: list[dict[str, object]]) -> Iterator[tuple[dict[str, object], CheckedResult]]:
    ours = {location(result): result for result in checked.results}
    for entry in published:
        yield entry, ours[str(entry["Location"]).lower()]


def test_what_was_published_is_accepted(checked: Checked, published: list[dict[str, object]]) -> None:
    refused = Counter(
        fault.code
        for _, result in matched(checked, published)
        for fault in result.faults
        if fault.weight is Weight.FAULT and fault.origin.value == "official"
    )
    assert refused == EXPLAINED


def test_every_figure_is_the_published_one(checked: Checked, published: list[dict[str, object]]) -> None:
    same = 0
    for entry, result in matched(checked, published):
        if any(fault.code == "not_here" for fault in result.faults):
            continue
        assert result.value == pytest.approx(entry["Performance_Result"], rel=1e-6), result.place
        figures = dict(part.split(": ") for part in str(entry["Accuracy"]).split("  "))
        assert {name: float(value) for name, value in figures.items()} == dict(result.accuracy), result.place
        assert result.power == entry["has_power"], result.place
        assert result.inferred == bool(entry["inferred"]), result.place
        same += 1
    assert same == 1448 - 12 - 20  # logs over 4 MB are left out of the archive, and one submitter's names of models


def test_what_cannot_be_judged_says_so(checked: Checked) -> None:
    absent = [result for result in checked.results if any(fault.code == "not_here" for fault in result.faults)]
    assert {result.place.benchmark for result in absent if result.place.division == "closed"} == {"rgat"}


def test_one_submitter_is_checked_alone(corpus: Corpus, checked: Checked) -> None:
    alone = check_submission(corpus.tree, "v5.1", submitter="Intel", left_out=corpus.left_out)
    assert alone.results == tuple(each for each in checked.results if each.place.submitter == "Intel")
    assert {each.path.parts[1] for each in alone.faults if len(each.path.parts) > 1} <= {"Intel"}
