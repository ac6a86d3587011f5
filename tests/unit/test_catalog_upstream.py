"""scripts/check-catalog names every number that differs from a clone of the rules, and runs nothing of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLONE = os.environ.get("MLPERF_INFERENCE_CLONE")
CHECKER = "tools/submission/submission_checker/constants.py"
OLD_CHECKER = "tools/submission/submission_checker.py"

CONSTANTS = """
import os
os.makedirs({trap!r})
MS = 1000 * 1000
MODEL_CONFIG = {{
    "v6.1": {{
        "models": ["bert-99", "llama2-70b-99.9"],
        "required-scenarios-datacenter": {{"llama2-70b-99.9": ["Offline"]}},
        "optional-scenarios-datacenter": {{"llama2-70b-99.9": ["Interactive", "Server"]}},
        "required-scenarios-edge": {{"bert-99": ["SingleStream", "Offline"]}},
        "optional-scenarios-edge": {{}},
        "required-scenarios-datacenter-edge": {{
            "bert-99": ["Offline", "SingleStream"], "llama2-70b-99.9": ["Offline"],
        }},
        "optional-scenarios-datacenter-edge": {{"llama2-70b-99.9": ["Interactive", "Server"]}},
        "accuracy-target": {{
            "bert-99": ("F1", 90.874 * 0.99),
            "llama2-70b-99.9": (
                "ROUGE1", 44.4312 * 0.999, "ROUGE2", 22.0352 * 0.999, "ROUGEL", 28.6162 * 0.999,
                "TOKENS_PER_SAMPLE", 294.45 * 0.9,
            ),
        }},
        "accuracy-upper-limit": {{"llama2-70b-99.9": ("TOKENS_PER_SAMPLE", 294.45 * 1.1)}},
        "accuracy-delta-perc": {{}},
        "performance-sample-count": {{"bert-99": 10833, "llama2-70b-99.9": 24576}},
        "accuracy-sample-count": {{}},
        "dataset-size": {{"bert-99": 10833, "llama2-70b-99.9": 24576}},
        "model_mapping": {{"resnet50": "resnet"}},
        "seeds": {{
            "qsl_rng_seed": 2085463073848966840,
            "sample_index_rng_seed": 2747215439041700203,
            "schedule_rng_seed": 16159082839903944936,
        }},
        "latency-constraint": {{"llama2-70b-99.9": {{"Server": 20000 * MS}}}},
        "min-queries": {{
            "bert-99": {{"SingleStream": 1024, "Offline": 1}},
            "llama2-70b-99.9": {{"SingleStream": 1024, "Server": 270336, "Offline": 1}},
        }},
        "models_TEST01": ["bert-99"],
        "models_TEST06": ["llama2-70b-99.9"],
    }},
}}
TEST_DURATION_MS = 600000
OFFLINE_MIN_SPQ_SINCE_V4 = {{"bert-99": 10833, "llama2-70b-99.9": 24576}}
RESULT_FIELD_NEW = {{
    "v6.1": {{
        "Offline": "result_samples_per_second",
        "SingleStream": "early_stopping_latency_ss",
        "Server": "result_completed_samples_per_sec",
    }},
}}
RESULT_FIELD_BENCHMARK_OVERWRITE = {{
    "v6.1": {{
        "llama2-70b-99.9": {{
            "Offline": "result_tokens_per_second", "Server": "result_completed_tokens_per_second",
        }},
    }},
}}
LLM_LATENCY_LIMITS = {{
    "llama2-70b-99.9": {{
        "Server": {{"ttft": 2000 * MS, "tpot": 200 * MS}},
        "Interactive": {{"ttft": 450 * MS, "tpot": 40 * MS}},
    }},
}}
ACC_PATTERN = {{
    "F1": r"^.*'?f1[\\"']: ([0-9.]+)",
    "ROUGE1": r".*'rouge1':\\s+'?([\\d.]+)'?.*",
    "ROUGE2": r".*'rouge2': ([\\d.]+)",
    "ROUGEL": r".*'rougeL': ([\\d.]+)",
    "TOKENS_PER_SAMPLE": r".*'tokens_per_sample': ([\\d.]+)",
}}
"""
SETTINGS = """
# a comment = 5
bert.*.performance_sample_count_override = 10833
bert.Offline.min_query_count = 10833
llama2-70b.*.performance_sample_count_override = 24576
llama2-70b.*.sample_concatenate_permutation = 1
llama2-70b.*.use_token_latencies = 1
llama2-70b.Server.target_latency = 0
llama2-70b.Server.ttft_latency = 2000
llama2-70b.Server.tpot_latency = 200
llama2-70b-interactive.*.sample_concatenate_permutation = 1
llama2-70b-interactive.*.use_token_latencies = 1
llama2-70b-interactive.Server.ttft_latency = 450
llama2-70b-interactive.Server.tpot_latency = 40
*.*.qsl_rng_seed = 2085463073848966840
*.*.sample_index_rng_seed = 2747215439041700203
*.*.schedule_rng_seed = 16159082839903944936
*.SingleStream.target_latency_percentile = 90
*.SingleStream.min_duration = 600000
*.MultiStream.min_duration = 600000
*.Server.target_latency_percentile = 99
*.Server.min_duration = 600000
*.Offline.min_duration = 600000
"""


def checked(clone: Path, *more: str) -> subprocess.CompletedProcess[str]:
    script = ROOT / "scripts" / "check-catalog"
    return subprocess.run([sys.executable, str(script), *more, str(clone)], capture_output=True, text=True, check=False)


def only(clone: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return checked(clone, "--only", "bert-99", "--only", "llama2-70b-99.9", *more)


def figures(said: str) -> int:
    found = re.search(r"^(\d+) figures compared", said, re.MULTILINE)
    assert found is not None, said
    return int(found[1])


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "clone"
    (folder / CHECKER).parent.mkdir(parents=True)
    (folder / "loadgen").mkdir()
    (folder / CHECKER).write_text(CONSTANTS.format(trap=str(tmp_path / "trap")))
    (folder / "loadgen" / "mlperf.conf").write_text(SETTINGS)
    return folder


def test_a_clone_with_the_same_numbers_is_agreed_with(clone: Path, tmp_path: Path) -> None:
    done = only(clone, "--notes")
    assert done.returncode == 0, done.stdout + done.stderr
    assert figures(done.stdout) > 70
    assert "rounds v6.1: 0 differ" in done.stdout
    assert "note: rounds/v5.0: the clone has no constants for it" in done.stdout
    assert not (tmp_path / "trap").exists(), "the clone's code was run"


@pytest.mark.parametrize(
    ("file", "old", "new", "named"),
    [
        (
            CHECKER,
            "90.874 * 0.99)",
            "90.784 * 0.99)",
            "bert-99 v6.1 F1 in all scenarios, lower limit: catalogue 89.96526",
        ),
        (CHECKER, "294.45 * 1.1", "294.45 * 1.2", "TOKENS_PER_SAMPLE in all scenarios, upper limit: catalogue 323.895"),
        (
            CHECKER,
            '"ttft": 450 * MS',
            '"ttft": 500 * MS',
            "ttft_ns Interactive: catalogue 450000000, upstream 500000000",
        ),
        (CHECKER, '"Server": 270336', '"Server": 1000', "min_queries Server: catalogue 270336, upstream 1000"),
        (CHECKER, '"bert-99": 10833, "llama', '"bert-99": 1083, "llama', "bert-99 v6.1 performance_sample_count: "),
        (CHECKER, '["SingleStream", "Offline"]', '["Offline"]', "required edge: catalogue [Offline, SingleStream], "),
        (CHECKER, '"models_TEST01": [', '"models_TEST04": [', "compliance: catalogue [TEST01], upstream [TEST04]"),
        (CHECKER, "20000 * MS", "60000 * MS", "latency_limit_ns Server: catalogue 20000000000, upstream 60000000000"),
        (
            CHECKER,
            "TEST_DURATION_MS = 600000",
            "TEST_DURATION_MS = 60000",
            "rounds/v6.1 min_duration_ms: catalogue 600000",
        ),
        (
            CHECKER,
            '"result_tokens_per_second"',
            '"result_queries"',
            "result_key Offline: catalogue result_tokens_per_second",
        ),
        (CHECKER, "'rouge1':", "'rouge2':", "accuracy_script ROUGE1 in "),
        (
            "loadgen/mlperf.conf",
            "tpot_latency = 40",
            "tpot_latency = 50",
            "tpot_latency Interactive: catalogue 40000000",
        ),
        (
            "loadgen/mlperf.conf",
            "percentile = 90",
            "percentile = 95",
            "bert-99 v6.1 percentile SingleStream: catalogue 90.0",
        ),
        (
            "loadgen/mlperf.conf",
            "permutation = 1",
            "permutation = 0",
            "equal_issue Server: catalogue True, upstream False",
        ),
    ],
)
def test_a_changed_number_is_named(clone: Path, file: str, old: str, new: str, named: str) -> None:
    text = (clone / file).read_text()
    assert old in text
    (clone / file).write_text(text.replace(old, new))
    done = only(clone)
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(line.startswith("differs: ") and named in line for line in done.stdout.splitlines()), done.stdout


def test_a_benchmark_that_the_catalogue_lacks_is_named(clone: Path) -> None:
    done = checked(clone)
    assert done.returncode == 1
    assert "differs: benchmarks of v6.1: catalogue [3d-unet-99" in done.stdout


def test_where_the_clone_contradicts_itself_the_checker_holds(clone: Path) -> None:
    settings = clone / "loadgen" / "mlperf.conf"
    settings.write_text(SETTINGS.replace("min_query_count = 10833", "min_query_count = 100"))
    done = only(clone, "--notes")
    assert done.returncode == 0
    assert "bert-99 v6.1 offline_min_samples: LoadGen's settings have 100, the checker 10833" in done.stdout


def test_an_old_round_is_read_out_of_its_tag_of_a_bare_clone(clone: Path, tmp_path: Path) -> None:
    text = (clone / CHECKER).read_text().replace("v6.1", "v4.1")
    work = tmp_path / "work"
    (work / OLD_CHECKER).parent.mkdir(parents=True)
    (work / OLD_CHECKER).write_text(text)
    me = ("-c", "user.name=nobody", "-c", "user.email=nobody@example.invalid")
    for words in (
        ("init", "-q", "-b", "main"),
        ("add", "."),
        (*me, "commit", "-q", "-m", "old"),
        ("tag", "v4.1"),
        ("rm", "-q", OLD_CHECKER),
        (*me, "commit", "-q", "-m", "new"),
    ):
        subprocess.run(["git", "-C", str(work), *words], check=True, capture_output=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(tmp_path / "bare")], check=True, capture_output=True)
    done = only(tmp_path / "bare")
    assert done.returncode == 1
    assert "rounds v4.1:" in done.stdout
    assert (
        "differs: rounds/v4.1 qsl_rng_seed: catalogue 3066443479025735752, upstream 2085463073848966840" in done.stdout
    )


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("nowhere",), "nowhere is no folder"),
        (("empty",), "has no checker of any round of the catalogue"),
        (("odd",), "the constants have a form that this tool does not know"),
        (("broken",), "the constants have a form that this tool does not know (SyntaxError"),
        (("empty", "--only", "bert-9"), "unknown model 'bert-9'; did you mean 'bert-99'?"),
    ],
)
def test_a_bad_question_gets_an_answer(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    (tmp_path / "empty").mkdir()
    for name, text in (("odd", 'MODEL_CONFIG = {"v6.1": 5}'), ("broken", "MODEL_CONFIG = {")):
        (tmp_path / name / CHECKER).parent.mkdir(parents=True)
        (tmp_path / name / CHECKER).write_text(text)
    done = checked(tmp_path / words[0], *words[1:])
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(CLONE is None, reason="MLPERF_INFERENCE_CLONE names no clone of the rules repository")
def test_the_catalogue_agrees_with_the_real_clone() -> None:
    assert CLONE is not None
    done = checked(Path(CLONE))
    assert done.returncode == 0, done.stdout + done.stderr
    assert figures(done.stdout) > 3000
    assert "rounds v4.1, v5.0, v5.1, v6.0, v6.1, v2.0, v3.0, v4.0" in done.stdout
