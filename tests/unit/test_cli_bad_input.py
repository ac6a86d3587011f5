"""Bad input, through the whole command line in this process: exit 2, what is wrong, what was probably meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli_calls import Call

SMALL = ("run", "--model", "resnet8-cifar10")

UNKNOWN = [
    (("run", "--model", "resnet9-cifar10"), "resnet9-cifar10", "resnet8-cifar10"),
    ((*SMALL, "--scenario", "Offlin"), "Offlin", "Offline"),
    ((*SMALL, "--scenario", "Offline,Sever"), "Sever", "Server"),
    ((*SMALL, "--mode", "performanse"), "performanse", "performance"),
    ((*SMALL, "--execution-mode", "vallid"), "vallid", "valid"),
    ((*SMALL, "--backend", "tflit"), "tflit", "tflite"),
    ((*SMALL, "--implementation", "generc"), "generc", "generic"),
    ((*SMALL, "--device", "cdua"), "cdua", "cuda"),
    ((*SMALL, "--engine", "dokcer"), "dokcer", "docker"),
    ((*SMALL, "--round", "v6.2"), "v6.2", "v6.1"),
    ((*SMALL, "--division", "opne"), "opne", "open"),
    ((*SMALL, "--category", "edgy"), "edgy", "edge"),
    ((*SMALL, "--pull", "nevver"), "nevver", "never"),
    ((*SMALL, "--scenaro", "Offline"), "--scenaro", "--scenario"),
    ((*SMALL, "--set", "xnpack=1"), "xnpack", "xnnpack"),
    (("rum", "--model", "resnet8-cifar10"), "rum", "run"),
    (("results", "lst"), "lst", "list"),
    (("models", "show", "resnet8-cifar1"), "resnet8-cifar1", "resnet8-cifar10"),
    (("implementations", "show", "generik"), "generik", "generic"),
    (("images", "render", "generic-tflit"), "generic-tflit", "generic-tflite"),
    (("--versoin",), "--versoin", "--version"),
    (("images", "build", "cpp", "--source", "inferenc=."), "inferenc", "--source of image 'cpp'"),
    (("images", "render", "qualcomm-kilt", "--sdk", "qaic-app=."), "qaic-app", "qaic-apps"),
]


@pytest.mark.parametrize(
    ("arguments", "typed", "meant"), UNKNOWN, ids=lambda value: value if isinstance(value, str) else ""
)
def test_an_unknown_name_gets_the_nearest_match(
    tmp_path: Path, call: Call, arguments: tuple[str, ...], typed: str, meant: str
) -> None:
    call(*arguments).refuses(typed, meant)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("arguments", "typed", "meant"), UNKNOWN[:1] + UNKNOWN[5:6] + UNKNOWN[14:16])
def test_under_json_the_error_is_the_one_document(
    tmp_path: Path, call: Call, arguments: tuple[str, ...], typed: str, meant: str
) -> None:
    called = call(*arguments, "--json")
    assert called.code == 2
    error = called.document["error"]
    assert called.document["exit_code"] == 2
    assert typed in error["cause"]
    assert meant in error["cause"] + error["hint"]
    assert error["hint"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--target-qps", "0"), "--target-qps 0: must be above 0"),
        (("--target-qps", "fast"), "'fast' is not a valid float"),
        (("--target-latency", "-1"), "--target-latency -1: must be above 0"),
        (("--target-latency", "inf"), "--target-latency inf: must be above 0"),
        (("--min-duration", "-5"), "--min-duration -5: must be between 0"),
        (("--test-query-count", "0"), "--test-query-count 0: must be between 1"),
        (("--test-query-count", "5", "--execution-mode", "valid"), "--test-query-count is for test runs"),
        (("--threads", "99999999999999999999"), "--threads 99999999999999999999: must be between 1"),
        (("--batch-size", "0"), "--batch-size 0: must be between 1"),
        (("--timeout", "0"), "--timeout 0: must be above 0"),
        (("--set", "x"), "--set x: not KEY=VALUE"),
        (("--set", "workers=1", "--set", "workers=2"), "--set workers was given twice"),
        (("--set", "workers=none"), "--set workers=none: must be a whole number"),
        (("--proxy", "no url"), "--proxy no url: not a proxy's address"),
        (("--set", "xnnpack=yes"), "unknown value of --set xnnpack 'yes'"),
        (("--memory", "3q"), "--memory 3q: not a size"),
        (("--memory", "0"), "--memory 0: must be above 0"),
        (("--base-image", " "), "' ' is not an image reference"),
        (("--base-image", ""), "'' is not an image reference"),
        (("--image", ""), "'' is not an image reference"),
        (("--run-prefix", "gdb 'x"), "--run-prefix: No closing quotation"),
        (("--user-conf", "nowhere.conf"), "--user-conf nowhere.conf: cannot be read"),
        (("--ca-bundle", "nowhere.pem"), "--ca-bundle nowhere.pem: no such file"),
        (("--dataset-path", "nowhere"), "--dataset-path nowhere: no such file"),
        (("--gpus", "all"), "--gpus chooses among GPUs"),
        (("--device", "gpu"), "--device gpu: whose?"),
        (("--source", "inference=nowhere"), "--source inference=nowhere: no such file or folder"),
        (("--source", "nowhere"), "--source nowhere: not NAME=PATH"),
        (("--round", "next"), "--round: unknown round 'next'; there are: v4.1, v5.0"),
        (("--device", "cuda"), "'resnet8-cifar10' has no device 'cuda'"),
        (("--implementation", "nvidia"), "'resnet8-cifar10' has no implementation 'nvidia'"),
        (("--scenario", ","), "no scenario was named"),
        (("--scenario", "Interactive"), "'resnet8-cifar10' has no scenario Interactive"),
        (("--mode", "compliance"), "no round wants a compliance test of 'resnet8-cifar10'"),
        (("--division", "closed"), "cannot be run for the closed division"),
        (("--model-name", "mine"), "--model-name 'mine' is for a model file of your own"),
        (("surplus",), "unexpected extra argument"),
    ],
)
def test_a_bad_value_is_named(tmp_path: Path, call: Call, arguments: tuple[str, ...], said: str) -> None:
    called = call(*SMALL, *arguments)
    assert called.code == 2
    assert called.stdout == ""
    assert said in called.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_fault_of_a_user_conf_is_told_with_its_line(tmp_path: Path, call: Call) -> None:
    (tmp_path / "user.conf").write_text("*.Offline.target_qps = many\n\na.b.c=1\n*.Offlin.min_duration = 1\n")
    called = call(*SMALL, "--user-conf", "user.conf")
    assert called.code == 2
    assert [line[: len("error: user.conf:1")] for line in called.stderr.splitlines()[:3]] == [
        "error: user.conf:1",
        "error: user.conf:3",
        "error: user.conf:4",
    ]
    assert "did you mean 'Offline'" in called.stderr


def test_a_fault_in_a_settings_file_is_told_with_line_and_column(tmp_path: Path, call: Call) -> None:
    (tmp_path / "mlperf-docker.yaml").write_text("submitter: me\nrond: v6.1\n")
    called = call(*SMALL)
    assert called.code == 2
    assert "mlperf-docker.yaml:2:1: unknown field 'rond'" in called.stderr
    assert "did you mean 'round'" in called.stderr


def test_no_model_at_all_is_an_error_that_says_how_to_name_one(tmp_path: Path, call: Call) -> None:
    called = call("run")
    assert called.code == 2
    assert "--model NAME" in called.stderr


def test_settings_are_written_only_where_there_is_a_folder(tmp_path: Path, call: Call) -> None:
    refused = call("config", "init", "no/such/settings.yaml")
    assert refused.code == 2
    assert "there is no folder no/such" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_for_a_sub_command_is_that_of_the_sub_command(call: Call) -> None:
    assert "hint: mlperf-docker images render --help lists what is possible" in call("images", "render").stderr


def test_a_folder_without_runs_is_said_to_have_none(tmp_path: Path, call: Call) -> None:
    called = call("results", "list")
    assert (called.code, called.stdout) == (0, f"no runs below {tmp_path}/mlperf-results\n")


def test_a_folder_is_no_model_file(tmp_path: Path, call: Call) -> None:
    assert "--model-path .: no backend reads a folder" in call("run", "--model-path", ".").stderr
