"""Headline figures, facts and estimates out of real logs."""

from __future__ import annotations

import pytest

from orchestrator.domain.measurement import DetailLog, Rate
from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.terms import Scenario
from orchestrator.loadgen.result import estimate, fill, headline, loadgen_facts
from tests.recordings import SCENARIOS, SEEDS, detail, names


@pytest.mark.parametrize("name", names("performance-valid"))
def test_every_valid_recording_has_a_headline_in_the_unit_of_its_scenario(name: str) -> None:
    scenario = SCENARIOS[name.split("-")[1]]
    result = headline(detail(name), scenario)
    assert result is not None
    raw = detail(name).values[result.key]
    assert isinstance(raw, int | float)
    key, unit, divisor = {
        Scenario.OFFLINE: ("result_samples_per_second", "Samples/s", 1),
        Scenario.SERVER: ("result_completed_samples_per_sec", "Queries/s", 1),
        Scenario.SINGLE_STREAM: ("early_stopping_latency_ss", "Latency (ms)", 1e6),
        Scenario.MULTI_STREAM: ("early_stopping_latency_ms", "Latency (ms)", 1e6),
    }[scenario]
    assert (result.key, result.unit) == (key, unit)
    assert result.value == pytest.approx(raw / divisor)


def test_a_run_too_short_for_an_estimate_has_no_headline_unless_it_is_marked_short() -> None:
    log = detail("6.0.17-singlestream-performance-earlystopping")
    assert log.values["early_stopping_latency_ss"] == 0
    assert headline(log, Scenario.SINGLE_STREAM) is None
    short = headline(log, Scenario.SINGLE_STREAM, short=True)
    assert short is not None
    assert short.key == "result_90.00_percentile_latency_ns"


def test_a_short_multistream_run_shows_the_percentile_of_queries() -> None:
    short = headline(detail("6.0.17-multistream-performance-earlystopping"), Scenario.MULTI_STREAM, short=True)
    assert short is not None
    assert short.key == "result_99.00_percentile_per_query_latency_ns"


def test_a_marked_run_with_an_estimate_still_shows_the_estimate() -> None:
    result = headline(detail("6.0.17-singlestream-performance-valid"), Scenario.SINGLE_STREAM, short=True)
    assert result is not None
    assert result.key == "early_stopping_latency_ss"


@pytest.mark.parametrize("value", [None, True, "12", 0, -1, float("inf")])
def test_a_figure_that_is_no_positive_number_is_no_headline(value: object) -> None:
    log = DetailLog(values={"result_samples_per_second": value})  # type: ignore[dict-item]
    assert headline(log, Scenario.OFFLINE) is None


@pytest.mark.parametrize("name", names("-valid"))
def test_the_seeds_tell_the_round(name: str) -> None:
    version = name.partition("-")[0]
    facts = loadgen_facts(detail(name))
    assert facts.version is not None
    assert facts.version.split()[0] == version
    seeds = SEEDS[version]
    assert (facts.qsl_rng_seed, facts.sample_index_rng_seed, facts.schedule_rng_seed) == (
        seeds.qsl_rng_seed,
        seeds.sample_index_rng_seed,
        seeds.schedule_rng_seed,
    )


def test_facts_of_an_empty_log_are_unknown() -> None:
    assert loadgen_facts(DetailLog()).version is None


def test_an_offline_run_gives_a_rate() -> None:
    log = detail("6.0.17-offline-performance-tooshort")
    assert estimate(log, Scenario.OFFLINE) == Rate(samples_per_second=log.values["result_samples_per_second"])  # type: ignore[arg-type]


def test_a_singlestream_run_gives_a_rate_and_a_median_latency() -> None:
    log = detail("6.0.17-singlestream-performance-valid")
    rate = estimate(log, Scenario.SINGLE_STREAM)
    assert rate is not None
    assert rate.latency_ms == pytest.approx(log.values["result_50.00_percentile_latency_ns"] / 1e6)  # type: ignore[operator]
    assert rate.samples_per_second == pytest.approx(log.values["result_qps_without_loadgen_overhead"], rel=0.01)


def test_a_multistream_run_counts_eight_samples_a_query() -> None:
    log = detail("6.0.17-multistream-performance-valid")
    rate = estimate(log, Scenario.MULTI_STREAM)
    assert rate is not None
    assert rate.samples_per_second == pytest.approx(8e9 / log.values["result_mean_query_latency_ns"])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("name", "scenario"),
    [
        ("6.0.17-singlestream-performance-killed", Scenario.SINGLE_STREAM),
        ("6.0.17-offline-accuracy-valid", Scenario.OFFLINE),
        ("6.0.17-offline-performance-valid", Scenario.SERVER),
    ],
)
def test_a_log_without_the_figure_gives_no_estimate(name: str, scenario: Scenario) -> None:
    assert estimate(detail(name), scenario) is None


def settings(fit: str | None, factor: float) -> LoadGenSettings:
    return LoadGenSettings(loadgen_model="m", fit=fit, fit_factor=factor)


def test_the_rate_is_filled_in_with_its_factor() -> None:
    filled = fill(settings("target_qps", 1.5), Rate(samples_per_second=100.0))
    assert (filled.target_qps, filled.target_latency_ms) == (150.0, None)


def test_a_latency_is_never_filled_in_above_the_estimate() -> None:
    rate = Rate(samples_per_second=100.0, latency_ms=8.0)
    assert fill(settings("target_latency_ms", 0.5), rate).target_latency_ms == 4.0
    assert fill(settings("target_latency_ms", 2.0), rate).target_latency_ms == 8.0


def test_without_a_latency_the_rate_bounds_it() -> None:
    assert fill(settings("target_latency_ms", 0.5), Rate(samples_per_second=100.0)).target_latency_ms == 5.0


def test_nothing_is_filled_where_nothing_is_to_be_fitted() -> None:
    assert fill(settings(None, 2.0), Rate(samples_per_second=1.0)) == settings(None, 2.0)


def test_a_setting_that_cannot_be_fitted_is_a_bug() -> None:
    with pytest.raises(ValueError, match="cannot fit batch"):
        fill(settings("batch", 1.0), Rate(samples_per_second=1.0))
