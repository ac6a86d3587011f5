"""LoadGen's own logs, recorded (README.md says how), and the rules they are held against in tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from orchestrator.domain.benchmark import AccuracyTarget, Seeds
from orchestrator.domain.measurement import AccuracyLog, AccuracyResult, DetailLog
from orchestrator.domain.plan import Rules
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario, Suite
from orchestrator.domain.verdict import Case
from orchestrator.loadgen.accuracy import read_accuracy_log
from orchestrator.loadgen.detail import parse_detail

FOLDER = Path(__file__).parent
SAMPLES = 20
SEEDS = {
    "5.0.21": Seeds(
        qsl_rng_seed=6023615788873153749,
        sample_index_rng_seed=15036839855038426416,
        schedule_rng_seed=9933818062894767841,
    ),
    "6.0.4": Seeds(
        qsl_rng_seed=1780908523862526354,
        sample_index_rng_seed=14771362308971278857,
        schedule_rng_seed=18209322760996052031,
    ),
    "6.0.15": Seeds(
        qsl_rng_seed=2465351861681999779,
        sample_index_rng_seed=14276810075590677512,
        schedule_rng_seed=3936089224930324775,
    ),
    "6.0.17": Seeds(
        qsl_rng_seed=2085463073848966840,
        sample_index_rng_seed=2747215439041700203,
        schedule_rng_seed=16159082839903944936,
    ),
}
SCENARIOS = {scenario.value.lower(): scenario for scenario in Scenario}


def names(part: str = "") -> list[str]:
    """Recordings whose name holds `part`; there must be some."""
    found = sorted(path.name.removesuffix(".detail.txt") for path in FOLDER.glob("*.detail.txt") if part in path.name)
    assert found, f"no recording named {part}"
    return found


def detail_bytes(name: str) -> bytes:
    """A detail log as LoadGen wrote it."""
    return (FOLDER / f"{name}.detail.txt").read_bytes()


def detail(name: str) -> DetailLog:
    """A detail log, parsed."""
    return parse_detail([detail_bytes(name)])


def accuracy_bytes(name: str) -> bytes:
    """An accuracy log as LoadGen wrote it."""
    return (FOLDER / f"{name}.accuracy.json").read_bytes()


def accuracy_log(name: str) -> AccuracyLog:
    """An accuracy log, read."""
    return read_accuracy_log([accuracy_bytes(name)])


def rules(version: str) -> Rules:
    """Rules that the valid recordings of a LoadGen version meet."""
    return Rules(
        suite=Suite.MLPERF,
        seeds=SEEDS[version],
        loadgen=version,
        judged=True,
        min_duration_ms=50,
        min_query_count=1,
        offline_min_samples=100,
        performance_sample_count=SAMPLES,
        dataset_samples=SAMPLES,
        latency_limit_ns=None,
        accuracy=(AccuracyTarget(metric="top1", reference=0.9, tolerance_samples=1),),
        not_submittable=(),
    )


def case(name: str, log: DetailLog | None = None) -> Case:
    """A recording as it comes before the judge, in a run that asked for just this test; 18 of 20 samples are right."""
    version, scenario, mode, _ = name.split("-")
    run = Case(
        rules=rules(version),
        scenario=SCENARIOS[scenario],
        mode=Mode(mode),
        execution_mode=ExecutionMode.VALID,
        log=log or detail(name),
    )
    if run.mode is not Mode.ACCURACY:
        return run
    answers = accuracy_log(name)
    result = AccuracyResult(metric="top1", value=0.9, good=18, total=SAMPLES, log_sha256=answers.sha256)
    return replace(run, accuracy_log=answers, accuracy=result)
