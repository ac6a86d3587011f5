"""The judge, over real logs: what LoadGen called VALID or INVALID, and what the rules add."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from orchestrator.domain.benchmark import AccuracyTarget
from orchestrator.domain.measurement import DetailLog, LogValue
from orchestrator.domain.terms import ExecutionMode, Mode, Scenario, Suite
from orchestrator.domain.verdict import Case, Standing, Verdict, judge
from orchestrator.loadgen.detail import parse_detail
from tests.recordings import SEEDS, case, detail, detail_bytes, names

OFFLINE = "6.0.17-offline-performance-valid"
SERVER = "6.0.17-server-performance-valid"
ACCURACY = "6.0.17-offline-accuracy-valid"


def codes(verdict: Verdict) -> list[str]:
    return [reason.code for reason in verdict.reasons]


def with_values(name: str, **values: LogValue) -> Case:
    """A recording with some values changed (the keys of LoadGen, dots as they are)."""
    log = detail(name)
    return case(name, replace(log, values=MappingProxyType({**log.values, **values})))


def without(name: str, key: str) -> Case:
    log = detail(name)
    assert key in log.values
    return case(name, replace(log, values=MappingProxyType({k: v for k, v in log.values.items() if k != key})))


@pytest.mark.parametrize("name", names("-valid"))
def test_a_valid_recording_is_valid_under_rules_it_meets(name: str) -> None:
    verdict = judge(case(name))
    assert (verdict.standing, verdict.clean, verdict.reasons, verdict.blockers) == (Standing.VALID, True, (), ())
    assert verdict.loadgen_validity == ("VALID" if "performance" in name else None)


@pytest.mark.parametrize("name", [name for name in names() if not name.endswith(("-valid", "-tokens"))])
def test_every_other_recording_is_invalid_and_says_why(name: str) -> None:
    verdict = judge(case(name))
    assert verdict.standing is Standing.INVALID
    assert verdict.reasons
    assert all(reason.text.endswith((".", ")")) or reason.code == "loadgen_error" for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("6.0.17-offline-performance-tooshort", ["min_duration_not_met"], "raise --target-qps above the measured"),
        (
            "6.0.17-singlestream-performance-tooshort",
            ["loadgen_error", "min_duration_not_met"],
            "lower --target-latency below the measured",
        ),
        ("6.0.17-server-performance-latency", ["early_stopping_not_met", "latency_not_met"], "lower --target-qps"),
        ("6.0.17-server-performance-earlystopping", ["early_stopping_not_met"], "run longer, or lower --target-qps"),
        ("6.0.17-singlestream-performance-earlystopping", ["early_stopping_not_met"], "at least 64 queries"),
        ("6.0.17-multistream-performance-earlystopping", ["early_stopping_not_met"], "at least 662 queries"),
        ("6.0.17-offline-performance-twoconfigs", ["loadgen_error"], "Multiple conf files"),
        ("6.0.17-offline-accuracy-twoconfigs", ["loadgen_error"], "Multiple conf files"),
    ],
)
def test_the_reasons_name_fault_and_remedy(name: str, expected: list[str], said: str) -> None:
    verdict = judge(case(name))
    assert codes(verdict) == expected
    assert said in " ".join(reason.text for reason in verdict.reasons)


def test_a_killed_run_is_cut_and_unclean() -> None:
    verdict = judge(case("6.0.17-singlestream-performance-killed"))
    assert "log_cut" in codes(verdict)
    assert not verdict.clean
    killed = judge(case("6.0.17-singlestream-accuracy-killed"))
    assert {"log_cut", "accuracy_log_damaged"} <= set(codes(killed))


def test_an_empty_log_is_invalid() -> None:
    verdict = judge(case(OFFLINE, DetailLog()))
    assert verdict.standing is Standing.INVALID
    assert codes(verdict)[0] == "log_empty"


@pytest.mark.parametrize("name", names("-valid"))
@pytest.mark.parametrize("version", sorted(SEEDS))
def test_only_the_rounds_own_loadgen_is_valid(name: str, version: str) -> None:
    run = case(name)
    verdict = judge(replace(run, rules=replace(run.rules, seeds=SEEDS[version])))
    assert (verdict.standing is Standing.VALID) is name.startswith(f"{version}-")


@pytest.mark.parametrize("key", ["qsl_rng_seed", "sample_index_rng_seed", "schedule_rng_seed"])
def test_each_of_the_three_seeds_counts(key: str) -> None:
    assert codes(judge(with_values(OFFLINE, **{f"effective_{key}": 0}))) == ["wrong_seeds"]


@pytest.mark.parametrize(
    "key",
    [
        "result_validity",
        "result_min_duration_met",
        "result_min_queries_met",
        "result_perf_constraints_met",
        "early_stopping_met",
        "effective_scenario",
        "effective_test_mode",
        "effective_qsl_rng_seed",
        "effective_sample_index_rng_seed",
        "effective_schedule_rng_seed",
        "effective_performance_sample_count",
        "effective_min_duration_ms",
        "effective_target_latency_ns",
        "effective_target_latency_percentile",
        "effective_performance_issue_unique",
        "effective_performance_issue_same",
    ],
)
def test_a_fact_that_is_missing_never_gives_valid(key: str) -> None:
    assert judge(without(SERVER, key)).standing is Standing.INVALID


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"result_validity": "INVALID"}, "loadgen_invalid"),
        ({"result_validity": "valid"}, "loadgen_invalid"),
        ({"result_min_duration_met": False}, "min_duration_not_met"),
        ({"result_min_queries_met": 1}, "min_queries_not_met"),
        ({"early_stopping_met": False}, "early_stopping_not_met"),
        ({"result_perf_constraints_met": False}, "latency_not_met"),
        ({"effective_scenario": "Offline"}, "wrong_scenario"),
        ({"effective_test_mode": "FindPeakPerformance"}, "wrong_mode"),
        ({"effective_performance_sample_count": 19}, "too_few_performance_samples"),
        ({"effective_target_latency_percentile": 0.5}, "percentile_lowered"),
        ({"requested_use_token_latencies": True}, "token_limits_unknown"),
        ({"effective_performance_issue_same": True}, "audit_settings"),
        ({"num_errors": 1}, "loadgen_error"),
        ({"num_errors": False}, "loadgen_error"),
    ],
)
def test_one_wrong_fact_is_enough(changed: dict[str, LogValue], code: str) -> None:
    verdict = judge(with_values(SERVER, **changed))
    assert verdict.standing is Standing.INVALID
    assert codes(verdict) == [code]


def test_a_latency_limit_above_the_rounds_is_invalid() -> None:
    run = case(SERVER)
    assert judge(replace(run, rules=replace(run.rules, latency_limit_ns=50_000_000))).standing is Standing.VALID
    low = judge(replace(run, rules=replace(run.rules, latency_limit_ns=49_999_999)))
    assert codes(low) == ["latency_limit_raised"]


def test_offline_needs_the_rounds_samples() -> None:
    run = case(OFFLINE)
    verdict = judge(replace(run, rules=replace(run.rules, offline_min_samples=24576)))
    assert codes(verdict) == ["too_few_offline_samples"]


def test_early_stopping_takes_the_place_of_query_counts_in_server() -> None:
    run = case(SERVER)
    assert judge(replace(run, rules=replace(run.rules, min_query_count=270336))).standing is Standing.VALID


def test_interactive_is_judged_on_loadgens_server() -> None:
    assert judge(replace(case(SERVER), scenario=Scenario.INTERACTIVE)).standing is Standing.VALID
    assert "wrong_scenario" in codes(judge(replace(case(OFFLINE), scenario=Scenario.INTERACTIVE)))


def test_a_damaged_line_anywhere_is_invalid() -> None:
    text = detail_bytes(OFFLINE).replace(b'"get_sut_name_duration_ns"', b"get_sut_name_duration_ns", 1)
    assert "log_damaged" in codes(judge(case(OFFLINE, parse_detail([text]))))


def test_two_tests_in_one_file_are_invalid() -> None:
    both = detail_bytes(OFFLINE) + detail_bytes("6.0.17-offline-performance-tooshort")
    assert "log_contradicts" in codes(judge(case(OFFLINE, parse_detail([both]))))
    other_way = detail_bytes("6.0.17-offline-performance-tooshort") + detail_bytes(OFFLINE)
    assert judge(case(OFFLINE, parse_detail([other_way]))).standing is Standing.INVALID


# -- duration: a user's shorter one is judged, and blocks -------------------------------------------------------------


def test_a_shorter_minimum_duration_is_judged_and_could_not_be_submitted() -> None:
    run = case(OFFLINE)
    verdict = judge(replace(run, rules=replace(run.rules, min_duration_ms=600000)))
    assert verdict.standing is Standing.VALID
    assert [blocker.text for blocker in verdict.blockers] == ["min duration 50 ms < 600000 ms of the rules"]


# -- not judged -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", names())
def test_a_test_run_is_never_judged_whatever_loadgen_said(name: str) -> None:
    verdict = judge(replace(case(name), execution_mode=ExecutionMode.TEST))
    assert verdict.standing is Standing.NOT_JUDGED
    assert "test_run" in [blocker.code for blocker in verdict.blockers]
    assert verdict.clean is not bool(verdict.reasons)


def test_a_test_run_that_loadgen_calls_invalid_is_clean_when_nothing_went_wrong() -> None:
    verdict = judge(replace(case("6.0.17-offline-performance-tooshort"), execution_mode=ExecutionMode.TEST))
    assert (verdict.clean, verdict.loadgen_validity, verdict.reasons) == (True, "INVALID", ())


def test_a_test_run_with_an_error_in_its_log_is_not_clean() -> None:
    verdict = judge(replace(case("6.0.17-offline-performance-twoconfigs"), execution_mode=ExecutionMode.TEST))
    assert (verdict.clean, verdict.loadgen_validity, codes(verdict)) == (False, "VALID", ["loadgen_error"])


def test_a_model_without_rules_is_not_judged() -> None:
    run = case(OFFLINE)
    verdict = judge(replace(run, rules=replace(run.rules, judged=False, suite=Suite.CUSTOM)))
    assert (verdict.standing, verdict.clean) == (Standing.NO_RULES, True)
    assert [blocker.code for blocker in verdict.blockers] == ["suite"]


def test_the_small_suite_is_judged_and_never_submittable() -> None:
    run = case(OFFLINE)
    verdict = judge(replace(run, rules=replace(run.rules, suite=Suite.SMALL)))
    assert verdict.standing is Standing.VALID
    assert [blocker.text for blocker in verdict.blockers] == [
        "a small model is never submittable in the closed division"
    ]


def test_what_the_plan_knows_and_the_record_marks_are_blockers() -> None:
    run = case(OFFLINE)
    rules = replace(run.rules, not_submittable=("your own data set",), suite=Suite.SMALL)
    verdict = judge(replace(run, rules=rules, marks=("network not isolated",)))
    assert [blocker.text for blocker in verdict.blockers] == ["your own data set", "network not isolated"]


def test_a_compliance_run_is_not_called_valid() -> None:
    verdict = judge(replace(case(OFFLINE), mode=Mode.COMPLIANCE))
    assert verdict.standing is Standing.INVALID
    assert "mode_not_judged" in codes(verdict)


# -- accuracy ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("good", "standing"), [(20, "VALID"), (17, "VALID"), (16, "INVALID"), (0, "INVALID")])
def test_the_accuracy_may_miss_its_reference_by_the_tolerance_and_no_more(good: int, standing: str) -> None:
    run = case(ACCURACY)
    assert run.accuracy is not None
    verdict = judge(replace(run, accuracy=replace(run.accuracy, good=good, value=good / 20)))
    assert verdict.standing.value == standing
    assert codes(verdict) == ([] if standing == "VALID" else ["accuracy_low"])


def test_an_accuracy_above_its_upper_limit_is_invalid() -> None:
    run = case(ACCURACY)
    target = AccuracyTarget(metric="top1", reference=0.5, upper_limit=0.8)
    assert codes(judge(replace(run, rules=replace(run.rules, accuracy=(target,))))) == ["accuracy_high"]


def test_an_accuracy_that_is_no_number_is_invalid() -> None:
    run = case(ACCURACY)
    assert run.accuracy is not None
    assert codes(judge(replace(run, accuracy=replace(run.accuracy, value=float("nan"))))) == ["accuracy_low"]


def test_the_accuracy_of_another_log_is_invalid() -> None:
    run = case(ACCURACY)
    assert run.accuracy is not None
    verdict = judge(replace(run, accuracy=replace(run.accuracy, log_sha256="0" * 64)))
    assert codes(verdict) == ["accuracy_of_another_log"]
    assert not verdict.clean


def test_every_metric_of_the_rules_must_have_been_computed() -> None:
    run = case(ACCURACY)
    targets = (*run.rules.accuracy, AccuracyTarget(metric="rougeL", reference=1.0))
    assert codes(judge(replace(run, rules=replace(run.rules, accuracy=targets)))) == ["accuracy_unknown"]


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"accuracy": None}, "accuracy_unknown"),
        ({"accuracy_log": None}, "accuracy_log_missing"),
    ],
)
def test_unknown_accuracy_never_gives_valid(changed: dict[str, None], code: str) -> None:
    assert code in codes(judge(replace(case(ACCURACY), **changed)))  # type: ignore[arg-type]


def test_rules_without_a_target_never_give_valid() -> None:
    run = case(ACCURACY)
    assert codes(judge(replace(run, rules=replace(run.rules, accuracy=())))) == ["accuracy_target_unknown"]


def test_a_smaller_data_set_than_the_rounds_is_invalid() -> None:
    run = case(ACCURACY)
    verdict = judge(replace(run, rules=replace(run.rules, dataset_samples=50000)))
    assert {"dataset_incomplete", "accuracy_samples"} <= set(codes(verdict))


@pytest.mark.parametrize(
    ("entries", "distinct", "code"),
    [(19, 19, "samples_missing"), (21, 20, "samples_repeated"), (0, 0, "samples_missing")],
)
def test_every_sample_is_answered_once(entries: int, distinct: int, code: str) -> None:
    run = case(ACCURACY)
    assert run.accuracy_log is not None
    verdict = judge(replace(run, accuracy_log=replace(run.accuracy_log, entries=entries, distinct_samples=distinct)))
    assert codes(verdict) == [code]
    assert not verdict.clean


def test_multistream_may_repeat_samples_to_fill_its_last_query_and_no_more() -> None:
    run = case("6.0.17-multistream-accuracy-valid")
    assert run.accuracy_log is not None
    assert run.accuracy_log.entries == 24
    assert codes(judge(replace(run, accuracy_log=replace(run.accuracy_log, entries=25)))) == ["samples_repeated"]


def test_an_accuracy_test_run_without_labels_is_clean() -> None:
    verdict = judge(replace(case(ACCURACY), accuracy=None, execution_mode=ExecutionMode.TEST))
    assert (verdict.clean, verdict.reasons) == (True, ())
