"""The detail log parser, over what LoadGen wrote and over what damage leaves of it."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from orchestrator.loadgen import detail as detail_module
from orchestrator.loadgen.detail import parse_detail
from tests.recordings import detail, detail_bytes, names

ERROR = (
    b':::MLLOG {"key": "error_runtime", "value": "query %d", "time_ms": 6.8, "namespace": "mlperf::logging", '
    b'"event_type": "POINT_IN_TIME", "metadata": {"is_error": true, "is_warning": false, "file": "loadgen.cc", '
    b'"line_no": 558, "pid": 1, "tid": 2}}\n'
)


def entry(key: str, value: object, *, error: bool = False, warning: bool = False) -> bytes:
    metadata = {"is_error": error, "is_warning": warning}
    return b":::MLLOG " + json.dumps({"key": key, "value": value, "metadata": metadata}).encode() + b"\n"


@pytest.mark.parametrize("name", names())
def test_every_recording_is_readable_and_agrees_with_a_plain_json_reading(name: str) -> None:
    log = detail(name)
    plain: dict[str, object] = {}
    for line in detail_bytes(name).decode().splitlines():
        read = json.loads(line.removeprefix(":::MLLOG "))
        plain.setdefault(read["key"], read["value"])
    assert log.readable
    assert len(log.values) > 55
    assert dict(log.values) == {key: value for key, value in plain.items() if not isinstance(value, list | dict)}


@pytest.mark.parametrize("name", names())
def test_a_log_has_ended_exactly_when_its_process_was_not_killed(name: str) -> None:
    assert detail(name).ended is not name.endswith("killed")


@pytest.mark.parametrize("name", names("-valid"))
def test_a_log_cut_anywhere_before_its_last_line_has_not_ended(name: str) -> None:
    whole = detail_bytes(name)
    assert not parse_detail([whole[: whole.rstrip(b"\n").rindex(b"\n") + 1]]).ended


@pytest.mark.parametrize(
    ("version", "last", "ended"),
    [
        ("5.0.7 @ 1618142d40", "result_99.90_percentile_latency_ns", True),
        ("4.1 @ NA", "result_99.90_percentile_latency_ns", True),
        ("5.0.7 @ 1618142d40", "result_99.00_percentile_latency_ns", False),
        ("5.0.16 @ fd021be1b7", "result_99.90_percentile_latency_ns", False),
        ("5.0.16 @ fd021be1b7", "num_errors", True),
        ("6.1", "num_errors", True),
    ],
)
def test_loadgen_before_5_0_16_does_not_end_a_log_with_the_number_of_errors(
    version: str, last: str, ended: bool
) -> None:
    log = entry("loadgen_version", version) + entry("effective_test_mode", "PerformanceOnly") + entry(last, 0)
    assert parse_detail([log]).ended is ended


def test_error_entries_are_read_although_loadgen_says_valid() -> None:
    log = detail("6.0.17-offline-performance-twoconfigs")
    assert log.values["result_validity"] == "VALID"
    assert [(error.key, error.text.split(".")[0]) for error in log.errors] == [
        ("error_invalid_config", "Multiple conf files are used")
    ]


def test_seeds_keep_every_digit() -> None:
    assert detail("6.0.17-offline-performance-valid").values["effective_schedule_rng_seed"] == 16159082839903944936


def test_windows_line_ends_change_nothing_but_the_bytes() -> None:
    text = detail_bytes("6.0.17-server-performance-valid")
    assert parse_detail([text.replace(b"\n", b"\r\n")]) == parse_detail([text])


def test_the_last_line_needs_no_newline() -> None:
    text = detail_bytes("6.0.17-server-performance-valid")
    assert parse_detail([text.rstrip()]) == parse_detail([text])


def test_an_empty_log_is_not_readable() -> None:
    log = parse_detail([])
    assert (log.lines, log.ended, log.readable) == (0, False, False)


@pytest.mark.parametrize(
    "line",
    [
        b':::MLLOG {"key": "result_validity", "value": "VAL\n',
        b":::MLLOG\n",
        b":::MLLOG []\n",
        b':::MLLOG {"key": 3, "value": 1, "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": NaN, "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": 1e999, "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": ' + b"9" * 5000 + b', "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "key": "b", "value": 1, "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": 1, "metadata": {"is_error": 0, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": 1, "metadata": {}}\n',
        b':::MLLOG {"key": "a\xff", "value": 1, "metadata": {"is_error": false, "is_warning": false}}\n',
        b':::MLLOG {"key": "a", "value": "\x00", "metadata": {"is_error": false, "is_warning": false}}\n',
        b":::MLLOG " + b"[" * 100_000 + b"\n",
    ],
)
def test_a_line_that_is_no_entry_is_malformed_and_hides_no_other(line: bytes) -> None:
    log = parse_detail([entry("first", 1) + line + entry("last", 2)])
    assert log.malformed == (2,)
    assert log.values == {"first": 1, "last": 2}
    assert not log.readable


@pytest.mark.parametrize("line", [b"Killed\n", b"\x00" * 4096 + b"\n", b" :::MLLOG {}\n"])
def test_lines_without_the_marker_are_counted_as_foreign(line: bytes) -> None:
    log = parse_detail([entry("first", 1) + line])
    assert (log.foreign, log.readable, log.malformed) == (1, False, ())


def test_blank_lines_are_nothing() -> None:
    assert parse_detail([entry("first", 1) + b"\n \r\n"]).readable


def test_the_first_value_of_a_repeated_key_counts_and_a_different_one_is_a_contradiction() -> None:
    log = parse_detail([entry("a", 1), entry("a", 1), entry("b", 1), entry("b", 2), entry("c", 1), entry("c", True)])
    assert log.values == {"a": 1, "b": 1, "c": 1}
    assert log.repeated == ("a", "b", "c")
    assert log.contradicted == ("b", "c")


def test_lists_and_objects_are_left_out_of_the_values() -> None:
    assert parse_detail([entry("a", [1, 2]), entry("b", {"c": 1}), entry("d", None)]).values == {"d": None}


def test_escapes_and_other_alphabets_are_read() -> None:
    log = parse_detail([entry("a", 'say "x"\n\\ é'), entry("warn", "ü", warning=True)])
    assert log.values["a"] == 'say "x"\n\\ é'
    assert [(warning.line, warning.text) for warning in log.warnings] == [(2, "ü")]


def test_errors_beyond_the_cap_are_counted_not_kept() -> None:
    log = parse_detail([ERROR % number for number in range(1000)])
    assert (len(log.errors), log.errors_left_out, log.error_count) == (100, 900, 1000)
    assert log.errors[99].text == "query 99"


def test_malformed_lines_beyond_the_cap_are_counted_not_kept() -> None:
    log = parse_detail([b":::MLLOG x\n" * 250])
    assert (len(log.malformed), log.malformed_left_out) == (100, 150)


def test_a_line_without_end_is_malformed_whatever_the_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detail_module, "_MAX_LINE_BYTES", 1000)
    text = entry("a", 1) + entry("long", "x" * 2000) + entry("b", 2) + entry("fits", "x" * 500)
    whole = parse_detail([text])
    assert (whole.malformed, sorted(whole.values)) == ((2,), ["a", "b", "fits"])
    for size in (1, 7, 64, 999, 1000, 1001, 1500):
        assert parse_detail([text[at : at + size] for at in range(0, len(text), size)]) == whole


def test_memory_stays_bounded_over_a_flood_of_distinct_keys_and_one_endless_line() -> None:
    tracemalloc.start()
    log = parse_detail(entry(f"key{number}", "x" * 100) for number in range(8_000))
    endless = parse_detail(b"x" * (1 << 20) for _ in range(100))
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(log.values), log.malformed_left_out) == (4096, 8_000 - 4096 - 100)
    assert endless.foreign == 1
    assert peak_bytes < 200 << 20
