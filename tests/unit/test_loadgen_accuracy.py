"""The accuracy log reader."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator

import pytest

from orchestrator.loadgen.accuracy import read_accuracy_log
from tests.recordings import SAMPLES, accuracy_bytes, accuracy_log, names


@pytest.mark.parametrize("name", [name for name in names("-accuracy-") if not name.endswith("killed")])
def test_every_sample_of_an_accuracy_run_is_found_once(name: str) -> None:
    log = accuracy_log(name)
    assert log.whole
    assert log.distinct_samples == SAMPLES
    assert log.sha256 == hashlib.sha256(accuracy_bytes(name)).hexdigest()
    assert log.size_bytes == len(accuracy_bytes(name))


def test_multistream_fills_its_last_query_with_samples_seen_before() -> None:
    log = accuracy_log("6.0.17-multistream-accuracy-valid")
    assert (log.entries, log.distinct_samples) == (24, SAMPLES)


def test_the_log_of_a_killed_process_is_not_whole() -> None:
    log = accuracy_log("6.0.17-singlestream-accuracy-killed")
    assert (log.whole, log.fault) == (False, "cut off after 7 whole entries")


def test_a_performance_run_leaves_an_empty_array() -> None:
    log = read_accuracy_log([b"[\n]\n"])
    assert (log.entries, log.whole) == (0, True)


def test_no_cut_of_a_log_is_whole_but_for_the_final_newline() -> None:
    text = accuracy_bytes("6.0.17-offline-accuracy-valid").rstrip()
    assert read_accuracy_log([text]).whole
    assert not any(read_accuracy_log([text[:length]]).whole for length in range(len(text)))


def test_the_pieces_do_not_matter() -> None:
    text = accuracy_bytes("6.0.17-multistream-accuracy-valid")
    whole = read_accuracy_log([text])
    for size in (1, 2, 3, 7, 50, 511, 512, 513):
        assert read_accuracy_log(text[at : at + size] for at in range(0, len(text), size)) == whole


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{}", "not a JSON array"),
        (b"\x00" * 5000, "not a JSON array"),
        (b"[\n]\n]", "something follows the end of the array"),
        (b"[\n]\n" + b" " * 5000 + b"x", "something follows the end of the array"),
        (b"[1]" + b" " * 1000, "not LoadGen's form after 0 entries"),
        (b'[ { "seq_id" : 0, "qsl_idx" : 1, "data" : "0G" } ]', "entry 1 holds an answer that is not hex"),
        (b'[ { "seq_id" : 0, "qsl_idx" : 1, "data" : "00', "cut off after 0 whole entries"),
        (b'[ { "seq_id" : 0, "qsl_idx" : 1, "data" : "00" } { "seq_id"', "cut off after 1 whole entries"),
    ],
)
def test_anything_but_loadgens_array_is_named(text: bytes, fault: str) -> None:
    log = read_accuracy_log([text])
    assert (log.whole, log.fault) == (False, fault)
    assert log.sha256 == hashlib.sha256(text).hexdigest()


def test_the_official_truncation_does_not_pass_for_whole() -> None:
    entries = b",\n".join(b'{ "seq_id" : %d, "qsl_idx" : %d, "data" : "%s" }' % (n, n, b"AB" * 50) for n in range(200))
    text = b"[\n" + entries + b"\n]\n"
    assert read_accuracy_log([text]).whole
    assert not read_accuracy_log([text[:4096] + b"..." + text[-4096:]]).whole


def test_token_entries_are_read() -> None:
    text = (
        b'[\n{ "seq_id" : 0, "qsl_idx" : 3, "data" : "0A", "token_data" : "0B0C", "token_count" : 2 },\n'
        b'{ "seq_id" : 1, "qsl_idx" : 4, "data" : "0A", "token_count" : 2 }\n]\n'
    )
    log = read_accuracy_log([text])
    assert (log.entries, log.distinct_samples, log.whole) == (2, 2, True)


def test_memory_does_not_grow_with_the_answers() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"["
        for number in range(20):
            yield (b"," if number else b"") + b'{ "seq_id" : 0, "qsl_idx" : %d, "data" : "' % number
            for _ in range(5):
                yield b"AB" * (1 << 19)
            yield b'" }'
        yield b"]"

    tracemalloc.start()
    log = read_accuracy_log(pieces())
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (log.entries, log.whole) == (20, True)
    assert log.size_bytes > 100 << 20
    assert peak_bytes < 8 << 20
