"""Question answering with the reference BERT harness (language/bert). Pure."""

from __future__ import annotations

from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Scenario
from orchestrator.implementations.common import ACCURACY_LOG, OUTPUT
from orchestrator.implementations.reference_harness import (
    AUDIT,
    USER_CONF,
    Harness,
    asset_at,
    dataset_at,
    file_in,
    limited,
    model_at,
    old_configuration,
    parameter,
    scenario_word,
)

_FORK = "deepsparse"  # a backend that only a fork of round v3.1's harness knows
_OWN_MODEL = "model.onnx"
_BATCHED = (Scenario.OFFLINE, Scenario.MULTI_STREAM)
_LEAST_THREADS = 2  # it waits for a thread to end before it starts one when there are as many as this


def bert(spec: RunSpec, on: Situation) -> Harness:
    """run.py; its fixed paths are given through the variables that it reads before them."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    vocabulary, vocabulary_mounts = asset_at(on, "bert-vocab")
    questions = file_in(dataset, on, "questions", "dev-v1.1.json")
    words = file_in(vocabulary, on, "vocabulary", "vocab.txt")
    threads = str(max(_LEAST_THREADS, (spec.knobs.threads or on.host.usable_cpus) + 1))
    part = limited(spec, "--max_examples")
    arguments = (
        *("--backend", parameter(on, "backend", on.offer.backend)),
        *("--scenario", scenario_word(spec)),
        *("--user_conf", str(USER_CONF)),
        *(_fork_arguments(spec, on) if _is_fork(on) else ("--audit_conf", str(AUDIT))),
        *(("--quantized",) if on.offer.parameters.get("quantized") == "1" else ()),
        *part,
        *old_configuration(on),
    )
    score = (
        "accuracy-squad.py",
        *("--vocab_file", words),
        *("--val_data", questions),
        *("--log_file", str(OUTPUT / ACCURACY_LOG)),
        *("--out_file", str(OUTPUT / "predictions.json")),
        *("--output_dtype", parameter(on, "dtype", "float32")),
        *part,
    )
    environment = (
        ("ML_MODEL_FILE_WITH_PATH", str(model)),
        ("DATASET_FILE", questions),
        ("VOCAB_FILE", words),
        ("LOG_PATH", str(OUTPUT)),
        ("SKIP_VERIFY_ACCURACY", "1"),
        ("MLC_MAX_NUM_THREADS", threads),
        ("CM_MAX_NUM_THREADS", threads),  # its name before v5.1
        *((("NM_DISABLE_ANALYTICS", "1"),) if _is_fork(on) else ()),
    )
    return Harness(
        folder="language/bert",
        script="run.py",
        arguments=arguments,
        copied=True,
        environment=environment,
        mounts=(*model_mounts, *dataset_mounts, *vocabulary_mounts),
        score=score,
        corrected=bool(old_configuration(on)),
        linked=((AUDIT.name, AUDIT),) if _is_fork(on) else (),
        writable=((_OWN_MODEL, model),) if _is_fork(on) else (),
    )


def _is_fork(on: Situation) -> bool:
    return on.offer.backend == _FORK


def _fork_arguments(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    """The fork takes its model as an option, and batches where it gathers samples; its engine fits one size exactly.

    DeepSparse writes each shape it fits into the model's own file, so it gets a copy. The fork knows no audit option:
    LoadGen finds the file by its usual name in the working folder.
    """
    batch = (spec.knobs.batch_size or on.offer.batch_size) if spec.scenario in _BATCHED else 1
    return ("--model_path", _OWN_MODEL, "--batch_size", str(batch))
