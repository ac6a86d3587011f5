"""The measured run: LoadGen's settings and verdict against the round's rules; also of compliance runs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from orchestrator.domain.benchmark import BenchmarkRules
from orchestrator.domain.measurement import DetailLog
from orchestrator.domain.submission import Fault
from orchestrator.domain.terms import Division, Scenario
from orchestrator.layouts.paths import DETAIL
from orchestrator.submission.check.unit import Unit

EARLY_STOPPING = frozenset({Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM})
INFERABLE = frozenset(
    {
        (Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM),
        (Scenario.MULTI_STREAM, Scenario.OFFLINE),
        (Scenario.SINGLE_STREAM, Scenario.OFFLINE),
    }
)
_LEAST_DURATION_MS = 600_000
_NETWORK_SUT = "Network SUT"


def performance(unit: Unit) -> Iterator[Fault]:
    """Findings about performance/run_1."""
    folder = unit.layout.performance(unit.place)
    log = unit.performance
    if log is None:
        if not unit.endpoints:
            yield unit.missing(
                "performance_missing",
                folder / DETAIL,
                "LoadGen's detail log is missing",
                "copy it from the performance run; without it there is no result",
            )
        return
    yield from run_faults(unit, folder, log)


def run_faults(unit: Unit, folder: PurePosixPath, log: DetailLog, *, audit: bool = False) -> Iterator[Fault]:
    """Findings about one run of LoadGen in performance mode; `audit`: it is that of a compliance test."""
    path = folder / DETAIL
    yield from readable(unit, path, log)
    if unit.model is None:
        return
    rules = unit.model.rules
    yield from _seeds(unit, path, log)
    yield from _verdict(unit, path, log, audit=audit)
    yield from _counts(unit, path, log, rules)
    yield from _latency(unit, path, log, rules)
    yield from _tokens(unit, path, log, rules)
    yield from _network(unit, path, log)
    if not audit:
        yield from _inferred(unit, path, log)


def readable(unit: Unit, path: PurePosixPath, log: DetailLog) -> Iterator[Fault]:
    """Whether a log is LoadGen's, whole and undamaged."""
    if log.lines == 0 or not log.values:
        yield unit.fault("log_unreadable", path, "it holds no entry of LoadGen's", "copy the log of the run again")
    elif log.malformed:
        yield unit.fault(
            "log_unreadable",
            path,
            "an entry is no JSON: LoadGen's log was cut or edited",
            "copy the log of the run again, or run again",
            line=log.malformed[0],
        )
    elif not log.ended or log.foreign:
        why = "it stops before its end" if not log.ended else f"{log.foreign} lines are not LoadGen's"
        yield unit.fault("log_damaged", path, why, "copy the log of the run again, or run again")


def scenario_of(log: DetailLog) -> Scenario | None:
    """The scenario that LoadGen ran."""
    found = log.values.get("effective_scenario")
    return next((each for each in Scenario if each.value == found), None)


def number(log: DetailLog, key: str) -> float | None:
    """A figure of the log."""
    found = log.values.get(key)
    return None if isinstance(found, bool) or not isinstance(found, int | float) else found


def _seeds(unit: Unit, path: PurePosixPath, log: DetailLog) -> Iterator[Fault]:
    round_ = unit.rules.round
    wanted = {
        "qsl_rng_seed": round_.seeds.qsl_rng_seed,
        "sample_index_rng_seed": round_.seeds.sample_index_rng_seed,
        "schedule_rng_seed": round_.seeds.schedule_rng_seed,
    }
    wrong = [name for name, seed in wanted.items() if log.values.get(f"effective_{name}") != seed]
    if wrong:
        version = log.values.get("loadgen_version", "an unknown version")
        yield unit.fault(
            "seeds",
            path,
            f"{', '.join(wrong)} not of round {round_.name}: LoadGen {version} ran",
            f"run again with LoadGen {round_.loadgen}",
        )


def _verdict(unit: Unit, path: PurePosixPath, log: DetailLog, *, audit: bool) -> Iterator[Fault]:
    word = log.values.get("result_validity")
    if word != "VALID":
        why = log.values.get("result_invalid_reason")
        said = f": {' '.join(str(why).split())}" if why else ""
        yield unit.fault(
            "invalid", path, f"LoadGen says {word or 'nothing of validity'}{said}", "run again, longer or slower"
        )
    errors = [each for each in log.errors if not (audit and "Multiple conf files are used" in each.text)]
    if errors:
        yield unit.fault(
            "loadgen_error",
            path,
            f"LoadGen logged an error: {' '.join(errors[0].text.split())}",
            "mend what it says and run again",
            line=errors[0].line,
        )
    if scenario_of(log) in EARLY_STOPPING and log.values.get("early_stopping_met") is not True:
        yield unit.fault("early_stopping", path, "early stopping was not met: too few queries", "run longer")


def _counts(unit: Unit, path: PurePosixPath, log: DetailLog, rules: BenchmarkRules) -> Iterator[Fault]:
    scenario = scenario_of(log)
    found = number(log, "effective_performance_sample_count")
    if found is None or found < rules.performance_sample_count:
        yield unit.fault(
            "performance_samples",
            path,
            f"{_shown(found)} samples in the performance set; {rules.performance_sample_count} are asked",
            "raise performance_sample_count_override, or give the harness the whole data set",
        )
    queries = number(log, "effective_min_query_count")
    least = rules.min_queries.get(scenario) if scenario is not None else None
    if scenario not in EARLY_STOPPING and least and (queries is None or queries < least):
        yield unit.fault(
            "offline_queries", path, f"min_query_count {_shown(queries)}; {least} are asked", "raise it in user.conf"
        )
    samples, wanted = number(log, "effective_samples_per_query"), rules.offline_min_samples
    held = unit.place.official_division is Division.CLOSED or unit.rules.round.name < "v6.0"
    if scenario is Scenario.OFFLINE and held and wanted and (samples is None or samples < wanted):
        yield unit.fault(
            "offline_samples",
            path,
            f"{_shown(samples)} samples in the query; {wanted} are asked",
            "raise target_qps or min_query_count in user.conf",
        )
    duration = number(log, "effective_min_duration_ms")
    least_ms = _LEAST_DURATION_MS if rules.min_duration_ms is None else rules.min_duration_ms
    if duration is None or duration < least_ms:
        yield unit.fault(
            "min_duration",
            path,
            f"min_duration {_shown(duration)} ms; {least_ms} are asked",
            "leave it out of user.conf",
        )
    if rules.equal_issue and unit.closed and not log.values.get("effective_sample_concatenate_permutation"):
        yield unit.fault(
            "equal_issue",
            path,
            "sample_concatenate_permutation is off: whole passes over the data set are asked",
            "leave it out of user.conf; LoadGen's own settings for the model have it",
        )


def _latency(unit: Unit, path: PurePosixPath, log: DetailLog, rules: BenchmarkRules) -> Iterator[Fault]:
    scenario = scenario_of(log)
    limit = rules.latency_limit_ns.get(scenario) if scenario is not None else None
    target = number(log, "effective_target_latency_ns")
    if scenario is Scenario.SERVER and limit and (target is None or target > limit):
        yield unit.fault(
            "latency_limit",
            path,
            f"target latency {_shown(target)} ns; at most {limit} are allowed",
            "leave it out of user.conf",
        )


def _tokens(unit: Unit, path: PurePosixPath, log: DetailLog, rules: BenchmarkRules) -> Iterator[Fault]:
    """First and further tokens; an Interactive folder is held to its own limits, which the newer checker forgets."""
    if rules.token_latencies != "measured":  # noqa: S105 - no secret
        return
    if log.values.get("requested_use_token_latencies") is not True:
        yield unit.fault("tokens_not_timed", path, "use_token_latencies is off", "set it to 1 in user.conf")
        return
    ran = scenario_of(log)
    if ran is not Scenario.SERVER:
        return
    first = number(log, "result_first_token_99.00_percentile_latency_ns")
    further = number(log, "result_time_per_output_token_99.00_percentile_ns")
    newer = unit.rules.round.name >= "v6.0"
    own = unit.scenario if unit.scenario is Scenario.INTERACTIVE else ran
    held: list[tuple[str, Scenario]] = [("token_latency", ran if newer else own)]
    if newer and own is not ran:
        held.append(("interactive_limits", own))
    for code, scenario in held:
        limits = rules.token_limits.get(scenario)
        if limits is None:
            continue
        if first is None or further is None or first >= limits.ttft_ns or further >= limits.tpot_ns:
            yield unit.fault(
                code,
                path,
                f"99th percentiles {_ms(first)} to the first token and {_ms(further)} for each further one; "
                f"below {_ms(limits.ttft_ns)} and {_ms(limits.tpot_ns)} are asked in {scenario.value}",
                "lower target_qps and run again",
            )


def _network(unit: Unit, path: PurePosixPath, log: DetailLog) -> Iterator[Fault]:
    name = str(log.values.get("sut_name", ""))
    if unit.place.official_division is Division.NETWORK and _NETWORK_SUT not in name:
        yield unit.fault(
            "network_sut",
            path,
            f"the SUT's name '{name}' lacks '{_NETWORK_SUT}'",
            "name it so in the harness (QDL's name)",
        )


def _inferred(unit: Unit, path: PurePosixPath, log: DetailLog) -> Iterator[Fault]:
    ran, folder = scenario_of(log), unit.scenario
    if ran is None or folder is None or ran is folder or (ran, folder) == (Scenario.SERVER, Scenario.INTERACTIVE):
        return
    if "edge" not in unit.system_type.lower() or (ran, folder) not in INFERABLE:
        yield unit.fault(
            "not_inferable",
            path,
            f"LoadGen ran {ran.value}; a result for {folder.value} cannot be inferred from it"
            + ("" if (ran, folder) not in INFERABLE else f" on a {unit.system_type or 'nameless'} system"),
            f"measure {folder.value} itself",
        )


def _shown(value: float | None) -> str:
    return "an unknown number of" if value is None else f"{value:g}" if value != int(value) else str(int(value))


def _ms(value_ns: float | None) -> str:
    return "unknown" if value_ns is None else f"{value_ns / 1e6:.4g} ms"
