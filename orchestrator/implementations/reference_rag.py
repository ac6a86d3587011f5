"""Retrieval and answering (e2e-rag): the data base is built by one benchmark and searched by the other. Pure."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from orchestrator.domain.container import Mount, Network
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device, Mode
from orchestrator.implementations.common import ACCURACY_TEXT, LOADGEN_LOGS, OUTPUT
from orchestrator.implementations.reference_harness import (
    AUDIT,
    CODE,
    START,
    USER_CONF,
    Harness,
    asset_at,
    cache_of,
    dataset_at,
    devices,
    options,
    parameter,
    placed,
    scenario_word,
)

_FOLDER = "e2e-rag"
_NAME = "vector_html_hnsw_len768_ov32_word"
_SERVERS = (  # what the harness asks in accuracy runs: role, model, port, as its own scripts have them
    ("llm", "gpt-oss-20b-mxfp4", 8192),
    ("query", "gpt-oss-120b-mxfp4", 8123),
    ("judge", "meta-llama/Llama-3.1-8B-Instruct", 8193),
)


def rag(spec: RunSpec, on: Situation) -> Harness:
    """The one of its two benchmarks that is asked for."""
    return _database(spec, on) if parameter(on, "part") == "database" else _answers(spec, on)


def _models(on: Situation) -> tuple[tuple[str, ...], tuple[Mount, ...]]:
    """Options and mounts of the searching and the ranking model."""
    searching, first = asset_at(on, "e5-base-v2")
    ranking, second = asset_at(on, "colbert-v2.0")
    return ("--retriever_model", str(searching), "--reranker_model", str(ranking)), (*first, *second)


def _device(spec: RunSpec) -> tuple[str, ...]:
    return ("--device", "cuda" if spec.device is Device.CUDA else "cpu")


def _building(spec: RunSpec, on: Situation, database: PurePosixPath, logs: PurePosixPath) -> tuple[str, ...]:
    """The arguments that build the data base as the benchmark prescribes: 768 characters, 32 shared, whole words."""
    dataset, _ = dataset_at(on)
    models, _ = _models(on)
    return (
        *("--documents_dir", str(dataset / parameter(on, "documents")), "--database", str(database)),
        *("--scenario", scenario_word(spec), "--log_dir", str(logs), "--output_dir", str(logs)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *("--chunk_size", "768", "--chunk_overlap", "32", "--text_boundary", "word", "--vector_index_method", "hnsw"),
        *models,
        *_device(spec),
        *("--num_embedding_devices", str(devices(spec, on)), "--max_workers", options(spec, on).get("workers", "4")),
    )


def _database(spec: RunSpec, on: Situation) -> Harness:
    """e2e-rag-db: reads all documents and writes the data base; its own check compares it with the reference's."""
    _, dataset_mounts = dataset_at(on)
    models, model_mounts = _models(on)
    database = OUTPUT / _NAME
    return Harness(
        folder=_FOLDER,
        script="reference_mlperf_datasetup.py",
        arguments=_building(spec, on, database, OUTPUT),
        copied=True,
        mounts=(*dataset_mounts, *model_mounts),
        score=(
            *("datasetup_accuracy_eval.py", "--log_dir", str(OUTPUT), "--output_dir", str(OUTPUT)),
            *("--database", f"{database}.db", *models[:2]),
            *("--manifest", "scripts/db_manifest_intel_xpu.json.gz", "--cosine_threshold", "0.9999"),
            *("--top_k_depth", "3"),
        ),
    )


def _answers(spec: RunSpec, on: Situation) -> Harness:
    """e2e-rag-qna: performance runs take the models' words from a recording, accuracy runs ask three servers.

    The servers are the user's, as they are upstream's: on this machine, or where options say. It scores by itself.
    """
    dataset, dataset_mounts = dataset_at(on)
    models, model_mounts = _models(on)
    kept = cache_of(on, "database")
    accuracy = spec.mode is Mode.ACCURACY
    arguments = (
        *("--dataset_path", str(dataset / parameter(on, "questions"))),
        *("--database", str(kept.target / f"{_NAME}.db")),
        *("--scenario", scenario_word(spec), "--log_dir", str(OUTPUT), "--output_dir", str(OUTPUT)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *("--perf_count", str(on.rules.dataset_samples)),
        *("--max-iterations", "5", "--max-sub-queries", "3", "--top_k_retriever", "10"),
        *("--max_workers", options(spec, on).get("workers", "10")),
        *models,
        *_device(spec),
        *(_servers(spec, on) if accuracy else ("--perf-test-mode", parameter(on, "recording"))),
    )
    return Harness(
        folder=_FOLDER,
        script="reference_mlperf.py",
        arguments=arguments,
        copied=True,
        mounts=(*dataset_mounts, *model_mounts, replace(kept, read_only=True)),
        prepare=(_prepared(spec, on, kept, (*dataset_mounts, *model_mounts)),),
        network=Network.HOST if accuracy else Network.NONE,
        produces=(*LOADGEN_LOGS, ACCURACY_TEXT) if accuracy else LOADGEN_LOGS,
    )


def _prepared(spec: RunSpec, on: Situation, kept: Mount, mounts: tuple[Mount, ...]) -> Execution:
    """The data base, built once by the other benchmark's program."""
    script = (*START, "-c", str(CODE / _FOLDER), "python3", "-u", "reference_mlperf_datasetup.py")
    command = (*script, *_building(spec, on, kept.target / _NAME, OUTPUT))
    return Execution(
        name="database",
        role=Role.PREPARE,
        scenario=spec.scenario,
        folder=PurePosixPath("database"),
        container=placed(spec, on, command, mounts=(*mounts, kept)),
        files=((PurePosixPath(USER_CONF.name), _ALL_DOCUMENTS),),
        once=kept.source / ".database-done",
    )


_ALL_DOCUMENTS = "".join(
    f"e2e-rag-db.Offline.{name} = {value}\n"
    for name, value in (("min_duration", 0), ("min_query_count", 2515), ("max_async_queries", 2515))
)


def _servers(spec: RunSpec, on: Situation) -> tuple[str, ...]:
    """Addresses and names of the three models: the options', else upstream's own ports on this machine."""
    given = options(spec, on)
    at = {name: given.get(f"{name}_url", f"http://127.0.0.1:{port}/v1/chat/completions") for name, _, port in _SERVERS}
    named = {name: given.get(f"{name}_model", model) for name, model, _ in _SERVERS}
    return (
        *("--llm_service_url", at["llm"], "--llm_model", named["llm"]),
        *("--query-service-url", at["query"], "--query_model", named["query"]),
        *("--sufficiency-service-url", at["query"], "--sufficiency-model", named["query"]),
        *("--judge_service_url", at["judge"], "--judge_model", named["judge"]),
    )
