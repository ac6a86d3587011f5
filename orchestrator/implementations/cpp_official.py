"""Models of a round with the C++ harness: data sets prepared and answers scored by MLCommons' own code.

The harness reads prepared data sets only (orchestrator/sut/README.md). A step in the image of the reference
implementation makes one of the official data, once; another scores LoadGen's log with the official script. Pure, but
for reading the scripts that are shipped.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

from orchestrator import __version__
from orchestrator.domain.asset import CONTAINER_DATASET
from orchestrator.domain.container import ContainerSpec, Mount
from orchestrator.domain.plan import Execution, Role
from orchestrator.domain.situation import Situation
from orchestrator.domain.spec import RunSpec
from orchestrator.domain.terms import Mode
from orchestrator.errors import UsageError
from orchestrator.host.shipped import shipped
from orchestrator.implementations.common import ACCURACY_LOG, ACCURACY_TEXT, OUTPUT, RESULT_FOLDER, container
from orchestrator.implementations.generic import executions
from orchestrator.implementations.reference_harness import CODE, OURS, START, asset_at, dataset_at, model_at, parameter

PREPARED = PurePosixPath("/prepared")
_SCRIPTS = PurePosixPath("/scripts")
_FOLDERS = {"imagenet": "vision/classification_and_detection", "squad": "language/bert"}


def official(spec: RunSpec, on: Situation, harness: tuple[str, ...]) -> tuple[Execution, ...]:
    """Check of a model of the user's, preparation of the data, LoadGen's processes, the official score.

    With `--set prepared=1` the data set is prepared already, and its folder holds what the score needs besides
    (val_map.txt, dev-v1.1.json). UsageError for an offer of an unknown kind of data.
    """
    kind = parameter(on, "data")
    if kind not in _FOLDERS:
        raise UsageError(f"the offer of {on.benchmark.name}: '{kind}' is no kind of data", hint="imagenet, or squad")
    given = dict(spec.knobs.extra)
    ready = given.pop("prepared", "0") == "1"
    plain = replace(spec, knobs=replace(spec.knobs, extra=tuple(sorted(given.items()))))
    prepare = None if ready else _prepare(plain, on, kind)
    inside = on if prepare is None else replace(on, dataset=_prepared_folder(plain, on, kind))
    measured = tuple(_unscored(each, plain, on) for each in executions(plain, inside, harness=harness))
    return (
        *((_signature(plain, on),) if spec.model_path is not None else ()),
        *((prepare,) if prepare is not None else ()),
        *measured,
        *((_score(plain, on, kind),) if spec.mode is Mode.ACCURACY else ()),
    )


def _unscored(execution: Execution, spec: RunSpec, on: Situation) -> Execution:
    """The harness leaves its log, the score is a step of its own; a model of the user's says what it stands for."""
    if execution.role is not Role.RESULT:
        return execution
    produces = tuple(path for path in execution.produces if path != ACCURACY_TEXT)
    if spec.model_path is None or spec.model_name is None:
        return replace(execution, produces=produces)
    mapping = json.dumps({spec.model_name: on.benchmark.checker_model or on.benchmark.name}, indent=2) + "\n"
    return replace(
        execution, produces=produces, files=(*execution.files, (PurePosixPath("model_mapping.json"), mapping))
    )


def _prepared_folder(spec: RunSpec, on: Situation, kind: str) -> Path:
    """One for each copy of the data, each form of it and what makes it; the harness's own image has no part in it.

    It lies beside the folders of the implementation's images, so that a rebuilt image finds it.
    """
    made_by = (
        __version__,
        hashlib.sha256((_scripts() / f"{kind}.py").read_bytes()).hexdigest(),
        parameter(on, "reference_image"),
        str(on.round.commit),
        *(f"{name}={path}" for name, path in spec.sources),
        "rehearsal" if spec.rehearse else "",
    )
    parts = sorted(f"{name}={value}" for name, value in on.offer.parameters.items())
    form = "\0".join((str(on.dataset), *made_by, *parts, *(_pictures(on) if kind == "imagenet" else ())))
    return on.work.parent / f"{kind}-{hashlib.sha256(form.encode()).hexdigest()[:12]}" / "prepared"


def _scripts() -> Path:
    return shipped("dockerfiles", "cpp", "prepare")


def _prepare(spec: RunSpec, on: Situation, kind: str) -> Execution:
    dataset, mounts = dataset_at(on)
    folder = _prepared_folder(spec, on, kind)
    script, code = str(_SCRIPTS / f"{kind}.py"), CODE / _FOLDERS[kind]
    if kind == "squad":
        vocabulary, further = asset_at(on, "bert-vocab")
        mounts = (*mounts, *further)
        names = (parameter(on, "mask"), parameter(on, "segments"))
        arguments: tuple[str, ...] = (str(dataset / "dev-v1.1.json"), str(vocabulary / "vocab.txt"), *names)
    else:
        arguments, code = (str(dataset), *_pictures(on)), code / "python"
    scripts = Mount(source=_scripts(), target=_SCRIPTS)
    output = Mount(source=folder, target=PREPARED, read_only=False, create=True)
    inside = container(
        spec,
        on,
        ("python3", script, *arguments, str(PREPARED)),
        mounts=(*mounts, scripts, output),
        environment=(("PYTHONPATH", f"{code}:{OURS / 'modules'}"),),
    )
    return Execution(
        name="prepare-data",
        role=Role.PREPARE,
        scenario=spec.scenario,
        folder=PurePosixPath("prepare-data"),
        container=_of_reference(inside, on),
        phase="preprocess",
        once=folder.with_suffix(".done"),
    )


def _pictures(on: Situation) -> tuple[str, ...]:
    """Layout, side, form and classes of the pictures that this model, or this member of its family, takes.

    Members with 8-bit inputs take pixels; the harness refuses a graph that wants another type.
    """
    form, side = parameter(on, "form", "vgg"), "224"
    (member,) = on.benchmark.variants.values() if len(on.benchmark.variants) == 1 else (None,)
    if member is not None and member.input is not None:
        side = member.input.partition("x")[0]
        form = "pixels" if re.search(r"-(u?int8)-", f"-{on.benchmark.name}-".replace("_", "-")) else form
    return (parameter(on, "layout"), side, form, parameter(on, "classes", "1001"))


def _score(spec: RunSpec, on: Situation, kind: str) -> Execution:
    dataset, mounts = dataset_at(on)
    log = str(OUTPUT / ACCURACY_LOG)
    if kind == "squad":
        vocabulary, further = asset_at(on, "bert-vocab")
        mounts = (*mounts, *further)
        call: tuple[str, ...] = (
            "accuracy-squad.py",
            *("--vocab_file", str(vocabulary / "vocab.txt")),
            *("--val_data", str(dataset / "dev-v1.1.json")),
            *("--log_file", log),
            *("--out_file", str(OUTPUT / "predictions.json")),
            *("--output_dtype", "float32"),
        )
    else:
        labels = str(CONTAINER_DATASET / "val_map.txt")
        call = ("tools/accuracy-imagenet.py", "--mlperf-accuracy-file", log, "--imagenet-val-file", labels)
        call = (*call, "--dtype", "int32")
    command = (*START, "-c", str(CODE / _FOLDERS[kind]), "-o", str(OUTPUT / ACCURACY_TEXT), "python3", *call)
    return Execution(
        name=Role.EVALUATE.value,
        role=Role.EVALUATE,
        scenario=spec.scenario,
        folder=RESULT_FOLDER,
        container=_of_reference(container(spec, on, command, mounts=mounts), on),
        produces=(ACCURACY_TEXT,),
    )


def _signature(spec: RunSpec, on: Situation) -> Execution:
    """Refuse a model that does not fit the benchmark before anything else starts."""
    model, mounts = model_at(on)
    report = OUTPUT / "signature.json"
    wanted = (parameter(on, "inputs"), parameter(on, "outputs"))
    command = ("python3", str(OURS / "signature.py"), str(model), str(report), *wanted)
    return Execution(
        name="signature",
        role=Role.PREPARE,
        scenario=spec.scenario,
        folder=PurePosixPath("signature"),
        container=_of_reference(container(spec, on, command, mounts=mounts), on),
        produces=(PurePosixPath(report.name),),
    )


def _of_reference(inside: ContainerSpec, on: Situation) -> ContainerSpec:
    """The same in the image that holds MLCommons' code."""
    return replace(inside, image=parameter(on, "reference_image"))
