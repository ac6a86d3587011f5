"""Judge the latencies of first and further tokens in Server and Interactive: the settings, and how to say it. Pure.

LoadGen holds each query to both limits and says so in `result_perf_constraints_met`; what it cannot know is whether the
limits it was given are the rules'.
"""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.domain.case import Case, Reason, shown, whole

# What is said of it, LoadGen's entry of the limit, its entry of the 99th percentile.
_FIRST = ("first token", "requested_server_ttft_latency", "result_first_token_99.00_percentile_latency_ns")
_FURTHER = ("output token", "requested_server_tpot_latency", "result_time_per_output_token_99.00_percentile_ns")


def has_token_latencies(run: Case) -> bool:
    """Whether LoadGen judged by tokens; then its limit for whole queries is not used."""
    return run.log.values.get("requested_use_token_latencies") is True


def loosened_tokens(run: Case) -> Iterator[Reason]:
    """Token limits that are off, unknown, or wider than the rules', and times that the log does not hold."""
    limits = run.rules.token_limits
    if limits is None:
        if run.log.values.get("requested_use_token_latencies", False) is not False:
            yield Reason(
                code="token_limits_unknown",
                text="LoadGen judged the latencies of first and further tokens, for which no limits are known here; "
                "the run is not called valid.",
            )
        return
    if not has_token_latencies(run):
        yield Reason(
            code="token_latencies_off",
            text="The rules limit the latencies of first and further tokens, but LoadGen did not measure them: "
            "leave use_token_latencies out of the user.conf.",
        )
        return
    for code, allowed_ns, (what, limit_key, measured_key) in (
        ("ttft", limits.ttft_ns, _FIRST),
        ("tpot", limits.tpot_ns, _FURTHER),
    ):
        target = whole(run.log, limit_key)
        if target is None or target > allowed_ns:
            yield Reason(
                code=f"{code}_limit_raised",
                text=f"The limit for the {what} was set to {shown(target)} ns; the rules allow {allowed_ns} ns.",
            )
        if not whole(run.log, measured_key):
            yield Reason(
                code=f"{code}_unknown", text=f"LoadGen's log does not hold the 99th percentile of the {what}'s time."
            )


def tokens_too_slow(run: Case) -> str:
    """Why the constraint was missed, with both figures and their limits, and what to do."""
    parts = [
        f"{what} {found / 1e6:.4g} ms, limit {limit / 1e6:.4g} ms"
        for what, limit_key, measured_key in (_FIRST, _FURTHER)
        if (found := whole(run.log, measured_key)) is not None and (limit := whole(run.log, limit_key)) is not None
    ]
    figures = f" (99th percentiles: {'; '.join(parts)})" if parts else ""
    rate = shown(run.log.values.get("result_completed_samples_per_sec"))
    return (
        f"Too many queries took longer for their first or further tokens than allowed{figures}: lower --target-qps "
        f"below the {rate} queries/s that were completed, or give the server more to work with."
    )


def tokens_not_stopped(run: Case) -> str:
    """What LoadGen says of early stopping, for first and further tokens."""
    said = {
        name: run.log.values.get(key)
        for name, key in (("TTFT", "early_stopping_ttft_result"), ("TPOT", "early_stopping_tpot_result"))
    }
    return " ".join(f"{name}: {text}" for name, text in said.items() if isinstance(text, str) and text.strip())
