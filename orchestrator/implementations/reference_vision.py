"""Image classification and object detection with the reference harness (vision/classification_and_detection). Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from orchestrator.domain.asset import CONTAINER_DATASET
from orchestrator.domain.container import Mount
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode, Scenario
from orchestrator.implementations.common import ACCURACY_LOG, OUTPUT
from orchestrator.implementations.reference_harness import (
    AUDIT,
    CACHE,
    USER_CONF,
    Harness,
    cache_of,
    dataset_at,
    file_in,
    limited,
    model_at,
    old_configuration,
    options,
    parameter,
    scenario_word,
)

FOLDER = "vision/classification_and_detection"


def vision(spec: RunSpec, on: Situation) -> Harness:
    """python/main.py with the profile that the offer names; it changes into the output folder by itself."""
    model, model_mounts = _model(on)
    dataset, dataset_mounts = _pictures(on)
    given = options(spec, on)
    backend = on.offer.parameters.get("backend")
    batch = str(spec.knobs.batch_size) if spec.knobs.batch_size else on.offer.parameters.get("max_batchsize")
    arguments = (
        *("--profile", parameter(on, "profile")),
        *(("--backend", backend) if backend else ()),
        *("--model", str(model)),
        *("--model-name", on.benchmark.loadgen_model),
        *("--dataset-path", str(dataset)),
        *("--scenario", scenario_word(spec)),
        *("--output", str(OUTPUT)),
        *("--user_conf", str(USER_CONF)),
        *("--audit_conf", str(AUDIT)),
        *("--cache_dir", str(CACHE / "preprocessed")),
        *("--threads", str(spec.knobs.threads or on.host.usable_cpus)),
        *(("--max-batchsize", batch) if batch else ()),
        *("--performance-sample-count", str(on.rules.performance_sample_count)),
        *(("--use_preprocessed_dataset",) if given.get("use_preprocessed") == "1" else ()),
        *(("--samples-per-query", "8") if spec.scenario is Scenario.MULTI_STREAM else ()),
        *limited(spec, "--count"),
        *old_configuration(on),
    )
    return Harness(
        folder=FOLDER,
        script="python/main.py",
        arguments=arguments,
        mounts=(*model_mounts, *dataset_mounts, cache_of(on, "preprocessed")),
        score=_score(on, dataset),
        corrected=bool(old_configuration(on)),
    )


def _model(on: Situation) -> tuple[PurePosixPath, tuple[Mount, ...]]:
    """The model's file; ncnn names two files, graph and weights, by their stem."""
    model, mounts = model_at(on)
    graph = on.offer.parameters.get("graph")
    if graph is None:
        return model, mounts
    beside = Mount(source=on.assets[on.offer.assets[0]] / graph, target=model.parent / graph)
    return model.with_suffix(""), (*mounts, beside)


def _pictures(on: Situation) -> tuple[PurePosixPath, tuple[Mount, ...]]:
    """The data set's folder; of COCO, pictures and annotations are two assets that belong into one."""
    pictures = on.offer.parameters.get("pictures")
    if pictures is None or on.dataset is None:
        return dataset_at(on)
    annotations = Mount(source=on.assets[on.offer.assets[0]] / "annotations", target=CONTAINER_DATASET / "annotations")
    return CONTAINER_DATASET, (
        Mount(source=on.dataset / pictures, target=CONTAINER_DATASET / pictures),
        annotations,
    )


def _score(on: Situation, dataset: PurePosixPath) -> tuple[str, ...]:
    log = ("--mlperf-accuracy-file", str(OUTPUT / ACCURACY_LOG))
    match parameter(on, "score", "imagenet"):
        case "openimages":
            out = ("--output-file", str(OUTPUT / "openimages-results.json"))
            return ("tools/accuracy-openimages.py", *log, "--openimages-dir", str(dataset), *out)
        case "coco":
            out = ("--output-file", str(OUTPUT / "coco-results.json"))
            inverse = ("--use-inv-map",) if on.offer.parameters.get("inverse_map") else ()
            return ("tools/accuracy-coco.py", *log, "--coco-dir", str(dataset), *out, *inverse)
        case _:
            labels = ("--imagenet-val-file", str(dataset / "val_map.txt"))
            return ("tools/accuracy-imagenet.py", *log, *labels, "--dtype", parameter(on, "dtype", "float32"))


def yolo(spec: RunSpec, on: Situation) -> Harness:
    """yolo/yolo_loadgen.py: performance and accuracy are options of their own there."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    mode = "--AccuracyOnly" if spec.mode is Mode.ACCURACY else "--PerformanceOnly"
    count: tuple[str, ...] = limited(spec, "--count")
    count = count or ("--count", str(on.rules.dataset_samples))
    arguments = (
        *("--model", str(model)),
        *("--dataset-path", file_in(dataset, on, "pictures", "val2017_safe")),
        *("--annotation-file", file_in(dataset, on, "annotations", "annotations/instances_val2017.json")),
        *("--scenario", scenario_word(spec)),
        *("--output", str(OUTPUT)),
        *("--user_conf", str(USER_CONF)),
        *("--audit-conf", str(AUDIT)),
        *count,
        mode,
    )
    log = ("--mlperf-accuracy-file", str(OUTPUT / ACCURACY_LOG))
    return Harness(
        folder=f"{FOLDER}/yolo",
        script="yolo_loadgen.py",
        arguments=arguments,
        accuracy=(),
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        score=("tools/accuracy-coco.py", *log, "--coco-dir", str(dataset), "--verbose"),
        score_folder=FOLDER,
    )
