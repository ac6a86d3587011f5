"""accuracy.txt of the official scripts: the catalogue knows the form of every line that the checker takes."""

from __future__ import annotations

import pytest

from orchestrator.config.catalog import benchmark_names, load_benchmark
from orchestrator.domain.benchmark import Benchmark
from orchestrator.domain.terms import Suite
from orchestrator.loadgen.accuracy_text import read_counts, read_hash, read_metrics

OFFICIAL = [benchmark for benchmark in map(load_benchmark, benchmark_names()) if benchmark.suite is Suite.MLPERF]
SCRIPTED = [each for each in OFFICIAL if each.accuracy_script is not None and each.accuracy_script.example]


@pytest.mark.parametrize("benchmark", SCRIPTED, ids=lambda one: one.name)
def test_metrics_are_read_from_what_the_script_prints(benchmark: Benchmark) -> None:
    script = benchmark.accuracy_script
    assert script is not None
    text = "some chatter\n" + "\n".join(script.example) + "\nhash=0123abc\n"
    assert read_metrics(text, list(script.lines), script.lines)
    assert read_hash(text) == "0123abc"


def test_every_official_benchmark_knows_how_its_metrics_are_printed() -> None:
    lacking = {
        f"{benchmark.name}: {target.metric}"
        for benchmark in OFFICIAL
        for rules in benchmark.rules.values()
        for target in rules.accuracy
        if benchmark.accuracy_script is None or target.metric not in benchmark.accuracy_script.lines
    }
    assert lacking == set()


def test_the_plain_forms_need_no_entry() -> None:
    assert read_metrics("accuracy=76.456%, good=38228, total=50000\n", ["acc"], {}) == {"acc": 76.456}
    assert read_metrics('{"exact_match": 83.67, "f1": 90.874}\n', ["F1"], {}) == {"F1": 90.874}


def test_a_metric_that_is_not_there_is_not_invented() -> None:
    assert read_metrics("accuracy=76%\n", ["F1", "no such metric"], {}) == {}
    assert read_hash("accuracy=76%") is None
    assert read_counts("accuracy=76%") == (None, None)


def test_counts_are_read_where_the_script_prints_them() -> None:
    assert read_counts("accuracy=85.000%, good=17, total=20\n") == (17, 20)


def test_the_last_of_several_figures_is_the_total() -> None:
    assert read_metrics("accuracy=10.0%\naccuracy=20.0%\n", ["acc"], {}) == {"acc": 20.0}
