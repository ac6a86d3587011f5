"""Runs with token latencies: judged by the limits of first and further tokens, over LoadGen's own logs."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from orchestrator.domain.benchmark import TokenLimits
from orchestrator.domain.measurement import LogValue
from orchestrator.domain.terms import Scenario
from orchestrator.domain.verdict import Case, Standing, judge
from orchestrator.loadgen.result import headline, token_figures
from tests.recordings import case, detail

SERVER = "6.0.17-server-performance-tokens"
SLOW = "6.0.17-server-performance-tokensslow"
OFFLINE = "6.0.17-offline-performance-tokens"
SINGLE = "6.0.17-singlestream-performance-tokens"
REAL = "6.0.17-server-performance-smollm2"
LIMITS = TokenLimits(ttft_ns=100_000_000, tpot_ns=50_000_000)  # those the recordings were made with


def limited(name: str, limits: TokenLimits | None = LIMITS, **values: LogValue) -> Case:
    """A recording under rules with token limits, some of its values changed."""
    log = detail(name)
    run = case(name, replace(log, values=MappingProxyType({**log.values, **values})))
    return replace(run, rules=replace(run.rules, token_limits=limits))


def codes(run: Case) -> list[str]:
    return [reason.code for reason in judge(run).reasons]


@pytest.mark.parametrize("name", [SERVER, "5.0.21-server-performance-tokens"])
def test_a_run_within_both_limits_is_valid(name: str) -> None:
    verdict = judge(limited(name))
    assert (verdict.standing, verdict.reasons) == (Standing.VALID, ())
    assert verdict.loadgen_validity == "VALID"


def test_interactive_is_loadgen_s_server_under_its_own_limits() -> None:
    run = replace(limited(SERVER), scenario=Scenario.INTERACTIVE)
    assert judge(run).standing is Standing.VALID
    tighter = replace(run.rules, token_limits=TokenLimits(ttft_ns=50_000_000, tpot_ns=20_000_000))
    assert codes(replace(run, rules=tighter)) == ["ttft_limit_raised", "tpot_limit_raised"]


def test_limits_wider_than_the_rules_are_never_silently_valid() -> None:
    assert codes(limited(SERVER, requested_server_ttft_latency=100_000_001)) == ["ttft_limit_raised"]
    assert codes(limited(SERVER, requested_server_tpot_latency=50_000_001)) == ["tpot_limit_raised"]
    assert codes(limited(SERVER, requested_server_ttft_latency=None)) == ["ttft_limit_raised"]


def test_a_token_model_measured_by_whole_queries_is_not_valid() -> None:
    assert codes(limited(SERVER, requested_use_token_latencies=False)) == ["token_latencies_off"]
    assert "token_latencies_off" in codes(limited("6.0.17-server-performance-valid"))


def test_token_latencies_without_known_limits_are_not_called_valid() -> None:
    assert codes(limited(SERVER, None)) == ["token_limits_unknown"]


def test_a_log_without_the_tokens_times_is_not_valid() -> None:
    assert codes(limited(SERVER, **{"result_first_token_99.00_percentile_latency_ns": 0})) == ["ttft_unknown"]
    assert codes(limited(SERVER, **{"result_time_per_output_token_99.00_percentile_ns": None})) == ["tpot_unknown"]


def test_slow_tokens_are_told_with_figures_limits_and_remedy() -> None:
    tight = TokenLimits(ttft_ns=100_000_000, tpot_ns=1_000_000)
    verdict = judge(limited(SLOW, tight))
    assert [reason.code for reason in verdict.reasons] == ["early_stopping_not_met", "latency_not_met"]
    said = " ".join(reason.text for reason in verdict.reasons)
    assert "output token" in said
    assert "limit 1 ms" in said
    assert "lower --target-qps" in said


def test_a_real_server_s_short_run_says_how_many_queries_early_stopping_wants() -> None:
    verdict = judge(limited(REAL, TokenLimits(ttft_ns=2_000_000_000, tpot_ns=200_000_000)))
    assert verdict.standing is Standing.INVALID
    assert "early_stopping_not_met" in [reason.code for reason in verdict.reasons]
    assert any("TPOT:" in reason.text and "more queries" in reason.text for reason in verdict.reasons)


@pytest.mark.parametrize("name", [OFFLINE, SINGLE])
def test_limits_of_tokens_are_for_served_scenarios_only(name: str) -> None:
    assert judge(limited(name, None)).standing is Standing.VALID


def test_the_round_s_own_entry_is_the_headline() -> None:
    log = detail(SERVER)
    found = headline(log, Scenario.SERVER, key="result_completed_tokens_per_second")
    assert found is not None
    assert (found.unit, found.value) == ("Tokens/s", log.values["result_completed_tokens_per_second"])
    assert headline(detail("6.0.17-server-performance-valid"), Scenario.SERVER, key=found.key) is None


def test_a_single_stream_s_headline_is_of_whole_answers_not_of_first_tokens() -> None:
    log = detail(SINGLE)
    found = headline(log, Scenario.SINGLE_STREAM)
    assert found is not None
    assert found.key == "result_90.00_percentile_latency_ns"
    first = log.values["early_stopping_latency_ss"]
    assert isinstance(first, int)
    assert found.value > first / 1e6


def test_token_figures_have_throughput_and_both_percentiles() -> None:
    units = [figure.unit for figure in token_figures(detail(SERVER))]
    assert units == ["Tokens/s", "Time to first token (ms)", "Time per token (ms)"]
    assert [figure.unit for figure in token_figures(detail(OFFLINE))] == ["Tokens/s"]
    assert token_figures(detail("6.0.17-server-performance-valid")) == ()
