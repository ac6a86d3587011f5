"""The remaining reference harnesses: volumes, recommendation, speech, pictures, video, graphs, point clouds. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from orchestrator.domain.container import Mount
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Device
from orchestrator.implementations.common import ACCURACY_LOG, OUTPUT
from orchestrator.implementations.reference_harness import (
    AUDIT,
    CODE,
    START,
    USER_CONF,
    Harness,
    cache_of,
    dataset_at,
    devices,
    limited,
    model_at,
    old_configuration,
    options,
    parameter,
    placed,
    scenario_word,
)

_LOG = str(OUTPUT / ACCURACY_LOG)
_LOG_ARGUMENT = ("--mlperf-accuracy-file", _LOG)


def unet3d(spec: RunSpec, on: Situation) -> Harness:
    """3d-unet-kits19: the catalogue's cases are preprocessed, the user's raw ones are here, once."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    cache = cache_of(on, "preprocessed")
    folder = "vision/medical_imaging/3d-unet-kits19"
    ready = options(spec, on).get("use_preprocessed", "0" if spec.dataset_path else "1") == "1"
    cases = str(dataset if ready else cache.target)
    workers = str(min(16, spec.knobs.threads or on.host.usable_cpus))
    arguments = (
        *("--backend", parameter(on, "backend", on.offer.backend)),
        *("--scenario", scenario_word(spec)),
        *("--model", str(model)),
        *("--preprocessed_data_dir", cases),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *("--performance_count", str(on.rules.performance_sample_count)),
    )
    score = (
        *("accuracy_kits.py", "--log_file", _LOG, "--preprocessed_data_dir", cases),
        *("--postprocessed_data_dir", "/tmp/postprocessed", "--num_proc", workers),  # noqa: S108 - in the container
    )
    command = (
        *(*START, "-c", str(CODE / folder), "python3", "preprocess.py"),
        *("--raw_data_dir", str(dataset), "--results_dir", str(cache.target), "--num_proc", workers),
    )
    step = _preprocess(spec, on, command, (*dataset_mounts, cache))
    return Harness(
        folder=folder,
        script="run.py",
        arguments=arguments,
        copied=True,
        environment=(("LOG_PATH", str(OUTPUT)), ("SKIP_VERIFY_ACCURACY", "1")),
        mounts=(*model_mounts, *dataset_mounts, cache),
        score=score,
        corrected=True,
        prepare=() if ready else (step,),
    )


def _preprocess(spec: RunSpec, on: Situation, command: tuple[str, ...], mounts: tuple[Mount, ...]) -> Execution:
    """A step that fills the cache, which is the last of its mounts, once; a stamp in it says that it is done."""
    return Execution(
        name="preprocess",
        role=Role.PREPARE,
        scenario=spec.scenario,
        folder=PurePosixPath("preprocess"),
        container=placed(spec, on, command, mounts=mounts),
        once=mounts[-1].source / ".preprocess-done",
    )


def whisper(spec: RunSpec, on: Situation) -> Harness:
    """speech2text: instances of vLLM, one for each NUMA node, bound to cores by variables."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    manifest = str(dataset / parameter(on, "manifest", "dev-all-repack.json"))
    nodes = on.host.numa_nodes or 1
    cores = max(1, (on.host.cores or on.host.usable_cpus) // nodes)
    arguments = (
        *("--dataset_dir", str(dataset), "--manifest", manifest, "--model_path", str(model)),
        *("--scenario", scenario_word(spec), "--log_dir", str(OUTPUT), "--num_workers", str(nodes)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *limited(spec, "--perf_count"),
    )
    score = ("accuracy_eval.py", "--log_dir", str(OUTPUT), "--dataset_dir", str(dataset), "--manifest", manifest)
    return Harness(
        folder="speech2text",
        script="reference_mlperf.py",
        arguments=arguments,
        copied=True,
        environment=(
            ("NUM_NUMA_NODES", str(nodes)),
            ("NUM_INSTS", str(nodes)),
            ("INSTS_PER_NODE", "1"),
            ("CORES_PER_INST", str(cores)),
            ("START_CORES", ",".join(str(node * cores) for node in range(nodes))),
            ("OMP_NUM_THREADS", str(cores)),
        ),
        mounts=(*model_mounts, *dataset_mounts),
        score=score,
    )


def stable_diffusion(spec: RunSpec, on: Situation) -> Harness:
    """text_to_image: started in its folder (its latents lie there); the ten kept pictures are the round's."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    dtype = options(spec, on).get("dtype", parameter(on, "dtype", "fp32"))
    cuda = spec.device is Device.CUDA
    arguments = (
        *("--dataset", "coco-1024", "--dataset-path", str(dataset)),
        *("--profile", "stable-diffusion-xl-pytorch", "--model-path", str(model)),
        *("--dtype", dtype, "--device", "cuda" if cuda else "cpu"),
        *("--scenario", scenario_word(spec), "--output", str(OUTPUT)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *(("--max-batchsize", str(spec.knobs.batch_size)) if spec.knobs.batch_size else ()),
        *limited(spec, "--count"),
        *old_configuration(on),
    )
    chosen = on.rules.extra_files.get("images", ())
    ids = str(OUTPUT / "sample_ids.txt")
    return Harness(
        folder="text_to_image",
        script="main.py",
        arguments=arguments,
        accuracy=("--accuracy", *(("--ids-path", ids) if chosen else ())),
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        score=_picture_score(on, dataset, ids if chosen else None, "gpu" if cuda else "cpu"),
        score_network=True,
        corrected=on.audit is not None or bool(old_configuration(on)),
        files=((PurePosixPath("sample_ids.txt"), "".join(f"{one}\n" for one in chosen)),) if chosen else (),
    )


def _picture_score(on: Situation, dataset: PurePosixPath, ids: str | None, device: str) -> tuple[str, ...]:
    """FID and CLIP; the ten kept pictures are written out, by the round's own list where the script takes one."""
    takes_list = on.round.name not in on.offer.parameters.get("score_without_ids", "").split(",")
    kept = ("--compliance-images-path", str(OUTPUT / "images")) if ids else ()
    return (
        *("tools/accuracy_coco.py", *_LOG_ARGUMENT),
        *("--caption-path", str(dataset / parameter(on, "captions", "captions/captions_source.tsv"))),
        *("--statistics-path", "tools/val2014.npz", "--output-file", str(OUTPUT / "coco-results.json")),
        *(*kept, *(("--ids-path", ids) if ids and takes_list else ())),
        *("--device", device),
    )


def wan(spec: RunSpec, on: Situation) -> Harness:
    """text_to_video: one process for each accelerator; the videos are files, scored by a step of its own."""
    model, model_mounts = model_at(on)
    prompts, prompt_mounts = dataset_at(on)
    arguments = (
        *("--model-path", str(model), "--dataset", str(prompts / parameter(on, "prompts", "vbench_prompts.txt"))),
        *("--output-dir", str(OUTPUT), "--config", "./inference_config.yaml", "--scenario", scenario_word(spec)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *limited(spec, "--count"),
    )
    return Harness(
        folder="text_to_video/wan-2.2-t2v-a14b",
        script="run_mlperf.py",
        arguments=arguments,
        launcher=("python3", "-m", "torch.distributed.run", "--nproc_per_node", str(devices(spec, on))),
        copied=True,
        mounts=(*model_mounts, *prompt_mounts),
        score=(
            *("run_evaluation.py", "--videos-path", str(OUTPUT / "videos"), "--output-path", str(OUTPUT / "vbench")),
            *("--num-gpus", str(devices(spec, on))),
        ),
        score_network=True,
        corrected=on.audit is not None,
    )


def rgat(spec: RunSpec, on: Situation) -> Harness:
    """graph/R-GAT on the full graph, memory-mapped."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    given = options(spec, on)
    arguments = (
        *("--dataset", "igbh-dgl", "--dataset-path", str(dataset), "--profile", "rgat-dgl-full"),
        *("--model-path", str(model), "--device", "gpu" if spec.device is Device.CUDA else "cpu"),
        *("--dtype", given.get("dtype", "fp32"), "--layout", given.get("layout", "COO")),
        *("--scenario", scenario_word(spec), "--output", str(OUTPUT)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *(("--max-batchsize", str(spec.knobs.batch_size)) if spec.knobs.batch_size else ()),
        *limited(spec, "--count"),
    )
    score = (
        *("tools/accuracy_igbh.py", *_LOG_ARGUMENT, "--dataset-path", str(dataset), "--dataset-size", "full"),
        *("--output-file", str(OUTPUT / "results.txt")),
    )
    return Harness(
        folder="graph/R-GAT",
        script="main.py",
        arguments=arguments,
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        score=score,
    )


def pointpainting(spec: RunSpec, on: Situation) -> Harness:
    """automotive/3d-object-detection: two networks in one folder."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    backend = on.offer.parameters.get("backend")
    arguments = (
        *("--dataset", "waymo", "--dataset-path", str(dataset)),
        *("--lidar-path", str(model / parameter(on, "lidar"))),
        *("--segmentor-path", str(model / parameter(on, "segmentor"))),
        *(("--backend", backend) if backend else ()),
        *("--device", "cuda" if spec.device is Device.CUDA else "cpu"),
        *("--scenario", scenario_word(spec), "--output", str(OUTPUT)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *("--performance-sample-count", str(on.rules.performance_sample_count)),
        *limited(spec, "--count"),
        *old_configuration(on),
    )
    return Harness(
        folder="automotive/3d-object-detection",
        script="main.py",
        arguments=arguments,
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        score=("accuracy_waymo.py", *_LOG_ARGUMENT, "--waymo-dir", str(dataset)),
        corrected=bool(old_configuration(on)),
    )


def rnnt(spec: RunSpec, on: Situation) -> Harness:
    """The retired speech harness; it calls LoadGen's configuration twice, as 3d-unet does."""
    model, model_mounts = model_at(on)
    dataset, dataset_mounts = dataset_at(on)
    manifest = str(dataset / parameter(on, "manifest", "dev-clean-wav.json"))
    arguments = (
        *("--backend", "pytorch", "--scenario", scenario_word(spec)),
        *("--pytorch_config_toml", "pytorch/configs/rnnt.toml", "--pytorch_checkpoint", str(model)),
        *("--dataset_dir", str(dataset), "--manifest", manifest, "--log_dir", str(OUTPUT)),
        *("--user_conf", str(USER_CONF), "--audit_conf", str(AUDIT)),
        *limited(spec, "--perf_count"),
    )
    score = ("accuracy_eval.py", "--log_dir", str(OUTPUT), "--dataset_dir", str(dataset), "--manifest", manifest)
    return Harness(
        folder="retired_benchmarks/speech_recognition/rnnt",
        script="run.py",
        arguments=arguments,
        copied=True,
        mounts=(*model_mounts, *dataset_mounts),
        score=score,
        corrected=True,
    )


__all__ = [
    "pointpainting",
    "rgat",
    "rnnt",
    "stable_diffusion",
    "unet3d",
    "wan",
    "whisper",
]
