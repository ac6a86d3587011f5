"""Submission trees without a fault, for tests to damage: closed, edge, resnet50, written in LoadGen's own line form.

The figures are made up; the form is that of LoadGen's logs (tests/recordings has real ones).
"""

from __future__ import annotations

import json
from pathlib import Path

from orchestrator.config.catalog import load_benchmark, load_round
from orchestrator.domain.benchmark import Round
from orchestrator.domain.submission import Place
from orchestrator.domain.terms import Category, Scenario
from orchestrator.layouts.paths import LAYOUTS, TreeLayout

SUBMITTER, SYSTEM = "Acme", "one_box"
_KEYS = {
    Scenario.OFFLINE: {"result_samples_per_second": 1234.5},
    Scenario.SINGLE_STREAM: {"early_stopping_latency_ss": 1500000, "early_stopping_met": True},
    Scenario.MULTI_STREAM: {"early_stopping_latency_ms": 9500000, "early_stopping_met": True},
    Scenario.SERVER: {"result_completed_samples_per_sec": 1000.25, "early_stopping_met": True},
}
_SYSTEM_FIELDS = (
    *("system_type_detail", "host_processor_model_name", "host_processors_per_node", "host_processor_core_count"),
    *("host_processor_frequency", "host_processor_caches", "host_processor_interconnect", "host_memory_capacity"),
    *("host_memory_configuration", "host_storage_capacity", "host_storage_type", "host_networking"),
    *("host_networking_topology", "host_network_card_count", "accelerator_model_name", "accelerator_memory_capacity"),
    *("accelerator_frequency", "accelerator_host_interconnect", "accelerator_interconnect"),
    *("accelerator_interconnect_topology", "accelerator_memory_configuration", "accelerator_on-chip_memories"),
    *("cooling", "framework", "operating_system", "other_software_stack", "hw_notes", "sw_notes"),
)


def entry(key: str, value: object, *, error: bool = False) -> str:
    """One line of a detail log."""
    body = {
        "key": key,
        "value": value,
        "time_ms": 12.5,
        "namespace": "mlperf::logging",
        "event_type": "POINT_IN_TIME",
        "metadata": {"is_error": error, "is_warning": False, "file": "loadgen.cc", "line_no": 1, "pid": 7, "tid": 7},
    }
    return f":::MLLOG {json.dumps(body)}"


def detail(round_: Round, scenario: Scenario, *, accuracy: bool = False) -> str:
    """A detail log of resnet50 that all rules like."""
    seeds = round_.seeds
    values: dict[str, object] = {
        "loadgen_version": f"{round_.loadgen} @ 0123456789",
        "sut_name": "a SUT",
        "qsl_reported_total_count": 50000,
        "effective_scenario": scenario.value,
        "effective_test_mode": "AccuracyOnly" if accuracy else "PerformanceOnly",
        "effective_qsl_rng_seed": seeds.qsl_rng_seed,
        "effective_sample_index_rng_seed": seeds.sample_index_rng_seed,
        "effective_schedule_rng_seed": seeds.schedule_rng_seed,
        "effective_performance_sample_count": 1024,
        "effective_min_query_count": 24576,
        "effective_samples_per_query": 660000 if scenario is Scenario.OFFLINE else 1,
        "effective_min_duration_ms": 600000,
        "effective_target_latency_ns": 15000000,
        "effective_sample_concatenate_permutation": False,
        "requested_use_token_latencies": False,
        "power_begin": "11-22-2026 08:00:00.000",
        "power_end": "11-22-2026 08:10:05.000",
    }
    if not accuracy:
        values |= {"result_validity": "VALID", **_KEYS[scenario], "num_errors": 0}
    return "".join(f"{entry(key, value)}\n" for key, value in values.items())


def good_tree(root: Path, round_name: str, division: str = "closed") -> tuple[TreeLayout, tuple[Place, ...]]:
    """Write the tree; its layout and its results' places."""
    round_, model = load_round(round_name), load_benchmark("resnet50")
    layout = LAYOUTS[round_.layout or ""]
    rules = model.rules_of(round_name)
    assert rules is not None
    found = []
    for scenario in rules.required[Category.EDGE]:
        place = Place(
            division=division, submitter=SUBMITTER, system=SYSTEM, benchmark="resnet50", scenario=scenario.value
        )
        found.append(place)
        _result(root, layout, round_, place, rules.compliance)
    top = root / division / SUBMITTER
    _write(top / layout.source / "resnet50" / "README.md", "Where the sources are.\n")
    _write(top / "calibration.md", "Nothing was quantised.\n")
    described = {
        **dict.fromkeys(_SYSTEM_FIELDS, "something"),
        **{"division": division, "submitter": SUBMITTER, "status": "available", "system_name": "One box"},
        **{"system_type": "edge", "number_of_nodes": "1", "accelerators_per_node": "0"},
    }
    _write(top / "systems" / f"{SYSTEM}.json", json.dumps(described))
    return layout, tuple(found)


def _result(root: Path, layout: TreeLayout, round_: Round, place: Place, tests: tuple[str, ...]) -> None:
    scenario = Scenario(place.scenario)
    run, accuracy = root / layout.performance(place), root / layout.accuracy(place)
    _write(run / "mlperf_log_detail.txt", detail(round_, scenario))
    _write(run / "mlperf_log_summary.txt", "Result is : VALID\n")
    _write(accuracy / "mlperf_log_detail.txt", detail(round_, scenario, accuracy=True))
    _write(accuracy / "mlperf_log_summary.txt", "No errors encountered during test.\n")
    _write(accuracy / "mlperf_log_accuracy.json", "[]")
    _write(accuracy / "accuracy.txt", f"accuracy=76.456%, good=38228, total=50000\nhash={'0' * 64}\n")
    beside = root / layout.measurements(place)
    described = dict.fromkeys(
        ("input_data_types", "retraining", "starting_weights_filename", "weight_data_types", "weight_transformations"),
        "fp32",
    )
    name = f"{SYSTEM}_{scenario.value}.json" if layout.apart else "measurements.json"
    _write(beside / name, json.dumps(described))
    _write(beside / "user.conf", "*.Offline.target_qps = 1000\n")
    _write(beside / "README.md", "How it was run.\n")
    for test in tests:
        folder = root / layout.compliance(place, test)
        _write(folder / "verify_performance.txt", "TEST PASS\n")
        if test != "TEST04":
            _write(folder / "verify_accuracy.txt", "TEST PASS\n")
        _write(folder / "performance/run_1/mlperf_log_detail.txt", detail(round_, scenario))
        _write(folder / "performance/run_1/mlperf_log_summary.txt", "Result is : VALID\n")


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
