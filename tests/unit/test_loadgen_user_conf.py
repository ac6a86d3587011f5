"""user.conf: a user's own is checked line by line, ours is written so that it wins.

What LoadGen does with each trap was tried with 6.0.17 and FromConfig.
"""

from __future__ import annotations

import pytest

from orchestrator.domain.plan import LoadGenSettings
from orchestrator.domain.terms import Scenario
from orchestrator.errors import ConfigError, UsageError
from orchestrator.loadgen.user_conf import parse_user_conf, render_user_conf, takes


def settings(**named: object) -> LoadGenSettings:
    return LoadGenSettings(loadgen_model="resnet50", **named)  # type: ignore[arg-type]


def lines_of(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith("#")]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("*.Offline.target_qps=5", "drops '*.Offline.target_qps=5' without a word"),
        ("*.Offline.target_qps =5", "is not `key = value`"),
        ("*.Offline.target_qps", "is not `key = value`"),
        ("*.Offline.target_qps =", "is not `key = value`"),
        ("*.Offline.target_qps 5 =", "is not `key = value`"),
        ("= 3", "is not `key = value`"),
        ("*.Offline.target_qps = 5 # fast", "a comment after a value"),
        ("*.Offline.target_qps = 5 6", "more than one value"),
        ("#target of the day", "a comment needs a blank"),
        ("\ufeff*.Offline.target_qps = 5", "a byte order mark"),
        ("target_qps = 5", "is not `model.Scenario.key`"),
        ("Offline.target_qps = 5", "is not `model.Scenario.key`"),
        ("a/b.Offline.target_qps = 5", "is no model name"),
        ("*.offline.target_qps = 5", "did you mean 'Offline'?"),
        ("*.Interactive.target_qps = 5", "write Server"),
        ("*.Offline.target_qsp = 5", "did you mean 'target_qps'?"),
        ("*.Offline.target_latency = 5", "Offline takes no target_latency"),
        ("*.SingleStream.target_qps = 5", "SingleStream takes no target_qps"),
        ("*.MultiStream.target_qps = 5", "MultiStream takes no target_qps"),
        ("*.Server.samples_per_query = 5", "Server takes no samples_per_query"),
        ("*.*.qsl_rng_seed = 5", "'qsl_rng_seed' counts only in LoadGen's built-in configuration"),
        ("*.*.test05 = 1", "counts only"),
        ("*.*.mode = 1", "is decided by --mode"),
        ("*.*.min_duration = 6e5", "takes a whole number, not '6e5'"),
        ("*.*.min_duration = 60000.7", "takes a whole number"),
        ("*.*.min_duration = 0x10", "takes a whole number"),
        ("*.*.min_duration = 010", "takes a whole number"),
        ("*.*.min_duration = -5", "takes a whole number"),
        ("*.*.min_duration = 99999999999999999999", "takes a whole number"),
        ("*.*.min_duration = ten", "takes a whole number"),
        ("*.Server.target_latency = 15.9", "takes a whole number"),
        ("*.*.target_latency = 15.9", "takes a whole number"),
        ("*.Offline.target_qps = nan", "takes a number"),
        ("*.Offline.target_qps = inf", "takes a number"),
        ("*.Offline.target_qps = -3", "takes a number"),
        ("*.Offline.target_qps = 1_000", "takes a number"),
        ("*.Offline.target_qps = 1e999", "must be more than 0"),
        ("*.Offline.target_qps = 0", "must be more than 0"),
        ("*.Server.target_latency_percentile = 0.99", "takes a percentage such as 99"),
        ("*.Server.coalesce_queries = 2", "takes 0 or 1"),
    ],
)
def test_each_trap_is_named_with_its_line(line: str, fault: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_user_conf(f"# fine\n\n{line}\n", "my.conf")
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith("my.conf:3: ")
    assert fault in caught.value.faults[0]


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_user_conf("a=1\n*.Offline.target_qps = 5\n*.Offline.target_qps = 6\n*.*.nonsense = 3\n", "my.conf")
    assert [fault.split(": ")[0] for fault in caught.value.faults] == ["my.conf:1", "my.conf:3", "my.conf:4"]
    assert "sets again what line 2 sets" in caught.value.faults[1]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "   # indented comment",
        "#",
        "*.Offline.target_qps = 5",
        "*.Offline.target_qps\t=\t.5  \r",
        "*.Offline.target_qps = 1e3",
        "llama3.1-8b.Offline.target_qps = 3",
        "*.MultiStream.samples_per_query = 8",
        "*.SingleStream.target_latency = 7.25",
        "*.Server.target_latency = 15",
        "*.*.sample_concatenate_permutation = 1",
        "*.Server.target_latency_percentile = 99.9",
    ],
)
def test_what_loadgen_takes_is_taken(line: str) -> None:
    assert len(parse_user_conf(line, "my.conf").lines) == (0 if line.strip().startswith("#") or not line else 1)


def test_precedence_inside_a_file_is_loadgens() -> None:
    conf = parse_user_conf(
        "resnet50.Offline.min_duration = 1\n*.Offline.min_duration = 2\n"
        "*.Offline.max_duration = 3\nresnet50.*.max_duration = 4\n"
        "*.*.min_query_count = 5\nresnet50.*.min_query_count = 6\n"
        "other.Offline.target_qps = 7\n*.Server.target_qps = 8\n",
        "my.conf",
    )
    assert conf.effective("resnet50", Scenario.OFFLINE) == {
        "min_duration": "1",
        "max_duration": "3",
        "min_query_count": "6",
    }
    assert conf.effective("resnet50", Scenario.INTERACTIVE)["target_qps"] == "8"
    assert [str(line) for line in conf.for_other_models("resnet50")] == ["other.Offline.target_qps = 7"]


def test_a_whole_run_of_settings_is_written_in_loadgens_units() -> None:
    text = render_user_conf(
        settings(
            min_duration_ms=600000,
            min_query_count=662,
            max_query_count=9000,
            target_latency_ms=11.25,
            performance_sample_count=1024,
        ),
        Scenario.MULTI_STREAM,
    )
    assert lines_of(text) == [
        "resnet50.MultiStream.min_duration = 600000",
        "resnet50.MultiStream.min_query_count = 662",
        "resnet50.MultiStream.max_query_count = 9000",
        "resnet50.MultiStream.target_latency = 11.25",
        "resnet50.MultiStream.performance_sample_count_override = 1024",
    ]


def test_interactive_is_written_as_loadgens_server() -> None:
    assert lines_of(render_user_conf(settings(target_qps=5.0), Scenario.INTERACTIVE)) == [
        "resnet50.Server.target_qps = 5"
    ]


@pytest.mark.parametrize(
    ("scenario", "named", "fault"),
    [
        (Scenario.SINGLE_STREAM, {"target_qps": 5.0}, "SingleStream takes no target_qps"),
        (Scenario.OFFLINE, {"target_latency_ms": 5.0}, "Offline takes no target_latency"),
        (Scenario.SERVER, {"target_latency_ms": 15.9}, "takes a whole number"),
        (Scenario.OFFLINE, {"target_qps": 0.0}, "must be more than 0"),
        (Scenario.OFFLINE, {"target_qps": float("nan")}, "cannot be nan"),
        (Scenario.OFFLINE, {"min_duration_ms": -1}, "cannot be -1"),
    ],
)
def test_what_the_scenario_does_not_take_is_refused(scenario: Scenario, named: dict[str, object], fault: str) -> None:
    with pytest.raises(UsageError, match=fault):
        render_user_conf(settings(**named), scenario)


def test_takes_tells_beforehand() -> None:
    assert takes(Scenario.INTERACTIVE, "target_qps")
    assert not takes(Scenario.SINGLE_STREAM, "target_qps")
    assert takes(Scenario.SINGLE_STREAM, "min_duration_ms")


def test_a_model_name_with_blanks_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be a LoadGen model name"):
        render_user_conf(LoadGenSettings(loadgen_model="my model"), Scenario.OFFLINE)


def test_our_settings_win_over_the_users_lines_which_stay_as_comments() -> None:
    own = "*.*.target_qps = 5\n*.Server.target_qps = 6\nresnet50.Offline.min_duration = 100\n"
    text = render_user_conf(settings(target_qps=7.5, user_conf=own), Scenario.OFFLINE)
    assert lines_of(text) == [
        "*.Server.target_qps = 6",
        "resnet50.Offline.min_duration = 100",
        "resnet50.Offline.target_qps = 7.5",
    ]
    assert "# (line 1 gives way to an explicit setting) *.*.target_qps = 5" in text.splitlines()
    assert parse_user_conf(text, "ours").effective("resnet50", Scenario.OFFLINE) == {
        "min_duration": "100",
        "target_qps": "7.5",
    }


def test_a_setting_still_to_be_fitted_is_shown_as_a_comment() -> None:
    text = render_user_conf(settings(fit="target_qps"), Scenario.OFFLINE)
    assert lines_of(text) == []
    assert "# resnet50.Offline.target_qps is filled from the estimate" in text


def test_faults_in_the_users_text_stop_the_writing() -> None:
    with pytest.raises(ConfigError, match=r"user\.conf:1: "):
        render_user_conf(settings(user_conf="a=1"), Scenario.OFFLINE)
