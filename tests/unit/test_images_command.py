"""The commands about published images as far as they need no engine: names, registries and licences."""

from __future__ import annotations

import pytest

from tests.unit.cli_calls import Call


@pytest.mark.parametrize("command", ["push", "lock", "pull"])
def test_without_a_registry_the_three_ways_to_name_one_are_said(call: Call, command: str) -> None:
    refused = call("images", command)
    assert refused.code == 2
    for way in ("--registry", "MLPERF_DOCKER_REGISTRY", "'registry'"):
        assert way in refused.stderr


def test_a_registry_with_a_scheme_is_refused_with_the_form_it_has(call: Call) -> None:
    refused = call("images", "pull", "--registry", "https://registry.example/x")
    assert refused.code == 2
    assert "HOST[:PORT][/PATH] without scheme and tag" in refused.stderr


@pytest.mark.parametrize("command", ["push", "lock", "pull", "verify", "build", "render"])
def test_an_unknown_image_is_told_with_the_nearest(call: Call, command: str) -> None:
    refused = call("images", command, "generic-tflight")
    assert refused.code == 2
    assert "did you mean 'generic-tflite'?" in refused.stderr


def test_what_licences_keep_is_never_pushed(call: Call) -> None:
    refused = call("images", "push", "generic-tflite", "nvidia-v5.0", "--registry", "registry.example/x")
    assert refused.code == 5
    assert "image 'nvidia-v5.0' is never pushed" in refused.stderr
    assert "pushable: false" in refused.stderr


def test_a_mirror_that_is_none_is_told(call: Call) -> None:
    refused = call("run", "--model", "resnet8-cifar10", "--mirror", "docker.io", "--dry-run")
    assert refused.code == 2
    assert "--mirror: 'docker.io' is not a mirror; write HOST=HOST" in refused.stderr


def test_without_an_engine_that_is_what_is_said(call: Call) -> None:
    refused = call("images", "build", "generic-tflite", "--pull", "only", "--registry", "registry.example/x")
    assert refused.code == 6
    assert "no container engine answers" in refused.stderr
