"""Whatever befalls a log, it never gets better by it.

What is claimed, over every recording that is not VALID: no mutation that leaves the verdict-relevant *values* unforged
gives VALID. Mutations: bytes flipped, inserted or deleted, lines dropped, repeated, moved, cut off, numbers changed.
Excluded, since no reader could tell: changing the very figure that a rule is held against into one that meets it
(for INVALID logs: LoadGen's own word *together with* the flags it stands for; the count of errors together with the
error entry), and taking an error entry out of an accuracy log, where LoadGen does not count them.
"""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.terms import Scenario
from orchestrator.domain.verdict import Case, Standing, judge
from orchestrator.loadgen.accuracy import read_accuracy_log
from orchestrator.loadgen.detail import parse_detail
from orchestrator.loadgen.user_conf import parse_user_conf, render_user_conf, takes
from tests.recordings import accuracy_bytes, case, detail_bytes, names

many = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

INVALID = [name for name in names("-performance-") if not name.endswith(("-valid", "-tokens"))]  # tokens are valid, too
VALID = names("-valid")
FAILING_RULES = {
    "another round's seeds": lambda run: replace(run.rules, seeds=case("6.0.15-offline-performance-valid").rules.seeds),
    "more samples": lambda run: replace(
        run.rules, offline_min_samples=24576, dataset_samples=50000, performance_sample_count=1024
    ),
}

place = st.floats(0, 1, exclude_max=True)
mutation = st.one_of(
    st.tuples(st.just("flip"), place, st.integers(1, 255)),
    st.tuples(st.just("insert"), place, st.binary(min_size=1, max_size=8)),
    st.tuples(st.just("delete"), place, st.integers(1, 400)),
    st.tuples(st.just("drop line"), place, st.just(0)),
    st.tuples(st.just("repeat line"), place, place),
    st.tuples(st.just("move line"), place, place),
    st.tuples(st.just("cut"), place, st.just(0)),
    st.tuples(st.just("number"), place, st.integers(0, 10**20)),
)


def mutated(text: bytes, changes: list[tuple[str, float, object]]) -> bytes:
    for kind, where, how in changes:
        text = _mutated(text, kind, where, how)
    return text


def _mutated(text: bytes, kind: str, where: float, how: object) -> bytes:
    if not text:
        return text
    at = int(where * len(text))
    if kind == "flip" and isinstance(how, int):
        return text[:at] + bytes([text[at] ^ how]) + text[at + 1 :]
    if kind == "insert" and isinstance(how, bytes):
        return text[:at] + how + text[at:]
    if kind == "delete" and isinstance(how, int):
        return text[:at] + text[at + how :]
    if kind == "cut":
        return text[:at]
    if kind == "number":
        values = list(re.finditer(rb'(?<!"num_errors", )"value": ([0-9.]+)', text))
        if not values:
            return text
        chosen = values[int(where * len(values))]
        return text[: chosen.start(1)] + str(how).encode() + text[chosen.end(1) :]
    lines = text.splitlines(keepends=True)
    line = int(where * len(lines))
    to = int(how * len(lines)) if isinstance(how, float) else 0
    taken = lines[line]
    if kind != "repeat line":
        del lines[line]
    if kind != "drop line":
        lines.insert(to, taken)
    return b"".join(lines)


changes = st.lists(mutation, min_size=1, max_size=6)


@many
@given(name=st.sampled_from(INVALID), how=changes)
def test_a_mutated_log_never_turns_invalid_into_valid(name: str, how: list[tuple[str, float, object]]) -> None:
    run = case(name, parse_detail([mutated(detail_bytes(name), how)]))
    assert judge(run).standing is Standing.INVALID


@many
@given(
    name=st.sampled_from(["6.0.17-offline-performance-valid", "6.0.17-offline-accuracy-valid"]),
    rule=st.sampled_from(sorted(FAILING_RULES)),
    how=st.lists(mutation.filter(lambda change: change[0] != "number"), min_size=1, max_size=6),
)
def test_a_mutated_log_never_meets_a_rule_it_failed(name: str, rule: str, how: list[tuple[str, float, object]]) -> None:
    run = case(name, parse_detail([mutated(detail_bytes(name), how)]))
    failing = replace(run, rules=FAILING_RULES[rule](run))
    assert judge(failing).standing is Standing.INVALID


@pytest.mark.parametrize("name", [name for name in INVALID if "killed" not in name])
def test_forging_loadgens_word_alone_is_not_enough(name: str) -> None:
    text = detail_bytes(name)
    forged = text.replace(b'"result_validity", "value": "INVALID"', b'"result_validity", "value": "VALID"')
    assert (forged != text) is not name.endswith("twoconfigs")
    assert judge(case(name, parse_detail([forged]))).standing is Standing.INVALID


@pytest.mark.parametrize("name", INVALID)
def test_no_single_line_that_is_dropped_makes_a_log_valid(name: str) -> None:
    lines = detail_bytes(name).splitlines(keepends=True)
    assert len(lines) > 50
    for number in range(len(lines)):
        rest = b"".join(lines[:number] + lines[number + 1 :])
        assert judge(case(name, parse_detail([rest]))).standing is Standing.INVALID


@pytest.mark.parametrize("name", VALID)
def test_a_valid_log_that_is_cut_anywhere_is_invalid(name: str) -> None:
    text = detail_bytes(name).rstrip(b"\n")
    for length in range(0, len(text), 97):
        assert judge(case(name, parse_detail([text[:length]]))).standing is Standing.INVALID


@many
@given(
    name=st.sampled_from([name for name in VALID if "accuracy" in name]),
    how=st.lists(mutation, min_size=1, max_size=4),
)
def test_a_mutated_accuracy_log_is_never_valid(name: str, how: list[tuple[str, float, object]]) -> None:
    text = accuracy_bytes(name)
    changed = mutated(text, how)
    run = replace(case(name), accuracy_log=read_accuracy_log([changed]))
    assert (judge(run).standing is Standing.VALID) is (changed == text)


@many
@given(st.lists(st.one_of(st.binary(max_size=200), st.sampled_from([b":::MLLOG ", b"\n", b'{"key": ', b"[", b'"']))))
def test_no_bytes_make_a_reader_raise(chunks: list[bytes]) -> None:
    log = parse_detail(chunks)
    assert log.lines <= b"".join(chunks).count(b"\n") + 1
    assert not read_accuracy_log(chunks).whole or b"".join(chunks).strip().startswith(b"[")


@many
@given(name=st.sampled_from(names()), cuts=st.lists(place, max_size=12), how=st.lists(mutation, max_size=4))
def test_chunk_boundaries_do_not_matter(name: str, cuts: list[float], how: list[tuple[str, float, object]]) -> None:
    for text, read in ((detail_bytes(name), parse_detail), (_accuracy_or_nothing(name), read_accuracy_log)):
        changed = mutated(text, how)
        at = sorted(int(cut * len(changed)) for cut in cuts)
        pieces = [changed[start:end] for start, end in zip([0, *at], [*at, len(changed)], strict=True)]
        assert read(pieces) == read([changed])


def _accuracy_or_nothing(name: str) -> bytes:
    return accuracy_bytes(name) if "-accuracy-" in name else b"[\n]\n"


positive = st.floats(1e-3, 1e9, allow_nan=False)
counts = st.integers(0, 10**12)


@st.composite
def conf_settings(draw: st.DrawFn) -> tuple[LoadGenSettings, Scenario]:
    scenario = draw(st.sampled_from(list(Scenario)))
    server = scenario in {Scenario.SERVER, Scenario.INTERACTIVE}
    fields = {
        "min_duration_ms": counts,
        "min_query_count": counts,
        "max_query_count": counts,
        "target_qps": positive,
        "target_latency_ms": st.integers(1, 10**6).map(float) if server else positive,
        "performance_sample_count": counts,
    }
    chosen = {field: draw(st.none() | values) for field, values in fields.items() if takes(scenario, field)}
    model = draw(st.sampled_from(["resnet50", "llama3.1-8b", "minilm-l6-v2", "a+b_c"]))
    return LoadGenSettings(loadgen_model=model, **chosen), scenario


KEYS = {
    "min_duration_ms": "min_duration",
    "min_query_count": "min_query_count",
    "max_query_count": "max_query_count",
    "target_qps": "target_qps",
    "target_latency_ms": "target_latency",
    "performance_sample_count": "performance_sample_count_override",
}


@many
@given(
    conf_settings(),
    st.lists(
        st.sampled_from(["*.*.min_duration = 5", "*.Offline.target_qps = 6", "x.Server.target_latency = 7", "# a"])
    ),
)
def test_what_is_written_to_user_conf_is_what_loadgen_reads(
    drawn: tuple[LoadGenSettings, Scenario], own: list[str]
) -> None:
    asked, scenario = drawn
    text = "\n".join(dict.fromkeys(own))
    read = parse_user_conf(render_user_conf(replace(asked, user_conf=text), scenario), "written")
    effective = read.effective(asked.loadgen_model, scenario)
    for field, key in KEYS.items():
        if getattr(asked, field) is not None:
            assert float(effective[key]) == getattr(asked, field)


@many
@given(st.text(max_size=300))
def test_no_text_makes_the_user_conf_check_fail_with_anything_but_its_own_error(text: str) -> None:
    from orchestrator.errors import ConfigError

    try:
        parse_user_conf(text, "own")
    except ConfigError as error:
        assert all(fault.startswith("own:") for fault in error.faults)


def test_the_recordings_that_must_not_turn_valid_are_there() -> None:
    assert len(INVALID) >= 8
    assert len(VALID) >= 12
    assert isinstance(case(INVALID[0]), Case)
