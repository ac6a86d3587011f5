"""Small pure rules: canonical JSON, admission, outcomes, image references, suggestions, redaction, owners."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from orchestrator.domain.benchmark import AccuracyTarget
from orchestrator.domain.canonical import canonical_json, fingerprint, to_json
from orchestrator.domain.container import Capability, ContainerSpec, Exit, Limits, Outcome, admit, outcome
from orchestrator.domain.image import ImageRef
from orchestrator.domain.redact import redact, secrets_of
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import Scenario
from orchestrator.errors import UsageError
from orchestrator.host.owner import owner_label, owner_lives
from tests.unit.plans import a_plan, a_spec

SPEC = ContainerSpec(image="x", command=("true",))


def test_equal_values_give_equal_bytes_whatever_their_order() -> None:
    assert canonical_json({"b": 1, "a": (Scenario.OFFLINE, PurePosixPath("/x"))}) == '{"a":["Offline","/x"],"b":1}'
    assert fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})


def test_a_value_without_json_form_is_refused() -> None:
    with pytest.raises(TypeError, match="object has no JSON form"):
        to_json(object())


def test_the_fingerprint_is_of_the_decision_not_of_the_runs_name() -> None:
    plan = a_plan()
    assert replace(plan, run_id="another").sealed().fingerprint == plan.fingerprint
    assert a_plan(a_spec(round="v6.0")).fingerprint != plan.fingerprint


@pytest.mark.parametrize(
    ("exit_", "expected"),
    [
        (Exit(code=0), Outcome.DONE),
        (Exit(code=1), Outcome.FAILED),
        (Exit(code=0, oom_killed=True), Outcome.OUT_OF_MEMORY),
        (Exit(code=137, oom_killed=True), Outcome.OUT_OF_MEMORY),
        (Exit(code=143, timed_out=True), Outcome.TIMED_OUT),
        (Exit(code=126), Outcome.NOT_EXECUTABLE),
        (Exit(code=127), Outcome.NOT_FOUND),
        (Exit(code=137), Outcome.KILLED),
    ],
)
def test_the_kinds_of_an_exit_are_told_apart(exit_: Exit, expected: Outcome) -> None:
    assert outcome(exit_) is expected


def test_a_limit_that_cannot_be_enforced_is_refused() -> None:
    admission = admit(replace(SPEC, limits=Limits(memory_bytes=1)), frozenset())
    assert admission.refused == ("memory_limit",)


def test_isolation_that_cannot_be_enforced_is_marked() -> None:
    assert "network_none" in admit(SPEC, frozenset()).marks
    assert admit(SPEC, frozenset(Capability)).marks == ()


@pytest.mark.parametrize(
    "text",
    ["debian:bookworm-slim", "nvcr.io/nvidia/tritonserver:25.08-py3", "localhost:5000/a/b", "sha256:" + "0" * 64],
)
def test_an_image_reference_reads_back_as_it_was(text: str) -> None:
    assert str(ImageRef.parse(text)) == text


@pytest.mark.parametrize("text", ["", "UPPER", "a b", "x:", "x@sha256:12", "-x"])
def test_what_is_no_image_reference_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        ImageRef.parse(text)
    assert "NAME[:TAG]" in (caught.value.hint or "")


def test_an_unknown_name_gets_the_nearest_match() -> None:
    error = unknown("model", "resnet8-cifar", ["resnet8-cifar10", "minilm-l6-v2"])
    assert "did you mean 'resnet8-cifar10'" in str(error)
    assert "minilm-l6-v2" in (error.hint or "")


def test_secrets_are_taken_out_of_text() -> None:
    secrets = secrets_of({"HF_TOKEN": "hf_abcdefgh", "PATH": "/bin", "SHORT_TOKEN": "abc"})
    text = b"hf_abcdefgh https://me:pass@host/x Authorization: Bearer abcdefghijklmnop123"
    assert redact(text, secrets) == b"*** https://***@host/x Authorization: Bearer ***"


def test_a_tolerance_in_samples_lowers_the_limit_by_one_sample() -> None:
    target = AccuracyTarget(metric="top1", reference=0.85, tolerance_samples=1)
    assert 0.80 >= target.lower_limit(20) > 0.799


def test_a_multiplier_lowers_the_limit_by_its_share() -> None:
    target = AccuracyTarget(metric="top1", reference=0.90, multiplier=0.99)
    assert 0.90 > target.lower_limit(20) > 0.85


def test_an_owner_lives_only_while_its_process_does() -> None:
    label = owner_label()
    assert owner_lives(label)
    boot, pid, started = label.split(":")
    assert not owner_lives(f"{boot}:{pid}:{int(started) + 1}")
    assert not owner_lives(f"other:{pid}:{started}")
    assert not owner_lives("nonsense")
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert not owner_lives(f"{boot}:{child}:{started}")
