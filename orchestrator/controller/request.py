"""From what the user typed to single runs: resolve names against the catalogue, expand lists. Starts nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from orchestrator.config.catalog import load_benchmark, load_implementation, load_round
from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Offer, Round
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.spec import Knobs, LoadGenWishes, RunSpec
from orchestrator.domain.suggest import nearest, unknown
from orchestrator.domain.terms import (
    Category,
    Device,
    Division,
    EngineName,
    Evidence,
    ExecutionMode,
    Mode,
    Scenario,
    Suite,
)
from orchestrator.errors import UsageError

ALL = "all"
_DIMENSION = "dim."  # size of an open dimension of generated inputs: named by the model, so not in the catalogue
_BACKEND_OF_SUFFIX = {".onnx": "onnxruntime", ".tflite": "tflite"}
_SMALL_SCENARIOS = (Scenario.OFFLINE, Scenario.SERVER, Scenario.SINGLE_STREAM, Scenario.MULTI_STREAM)
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequest:
    """What `mlperf-docker run` was asked, lists unexpanded, defaults of the catalogue not yet filled in."""

    model: str | None
    implementation: str | None = None
    backend: str | None = None
    device: Device | None = None
    scenarios: str = Scenario.OFFLINE.value
    modes: str = ALL
    execution_mode: ExecutionMode = ExecutionMode.TEST
    round: str | None = None
    division: Division | None = None
    category: Category | None = None
    system: str = "this-machine"
    submitter: str = "unnamed"
    engine: EngineName = EngineName.DOCKER
    loadgen: LoadGenWishes = LoadGenWishes()
    knobs: Knobs = Knobs()
    image: ImageChoice = ImageChoice()
    model_path: Path | None = None
    dataset_path: Path | None = None
    model_name: str | None = None
    gpus: tuple[str, ...] = ()
    run_prefix: tuple[str, ...] = ()
    memory_bytes: int | None = None
    timeout_s: float | None = None
    debug: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One run with what the catalogue says of it."""

    spec: RunSpec
    benchmark: Benchmark
    rules: BenchmarkRules
    offer: Offer
    round: Round


def choose(request: RunRequest) -> tuple[Choice, ...]:
    """All runs of a request, scenarios outermost, performance before accuracy.

    UsageError names the nearest match, or what is possible.
    """
    round_ = load_round(request.round)
    benchmark = _benchmark(request)
    rules = benchmark.rules_of(round_.name)
    if rules is None:
        raise UsageError(
            f"'{benchmark.name}' is not part of round {round_.name}",
            hint=f"its rounds: {', '.join(sorted(benchmark.rules))}; choose one with --round",
        )
    offer = _offer(request, benchmark, round_)
    device = request.device or offer.devices[0]
    _refuse_idle_options(request, device)
    _check_knobs(request, offer)
    scenarios = _scenarios(request, benchmark, rules)
    modes = _modes(request, benchmark)
    spec = RunSpec(
        model=benchmark.name,
        implementation=offer.implementation,
        backend=offer.backend,
        device=device,
        scenario=scenarios[0],
        mode=modes[0],
        execution_mode=request.execution_mode,
        round=round_.name,
        division=_division(request, benchmark),
        category=request.category,
        system=request.system,
        submitter=request.submitter,
        engine=request.engine,
        loadgen=request.loadgen,
        knobs=request.knobs,
        image=request.image,
        model_path=request.model_path.absolute() if request.model_path else None,
        dataset_path=request.dataset_path.absolute() if request.dataset_path else None,
        gpus=request.gpus,
        run_prefix=request.run_prefix,
        memory_bytes=request.memory_bytes,
        timeout_s=request.timeout_s,
    )
    return tuple(
        Choice(
            spec=replace(spec, scenario=scenario, mode=mode),
            benchmark=benchmark,
            rules=rules,
            offer=offer,
            round=round_,
        )
        for scenario in scenarios
        for mode in modes
    )


def _check_knobs(request: RunRequest, offer: Offer) -> None:
    """Names and values of `--set` that this backend does not know are told before anything starts."""
    known = load_implementation(offer.implementation).knobs.get(offer.backend, {})
    for name, value in request.knobs.extra:
        if name.startswith(_DIMENSION):
            continue
        if name not in known:
            raise unknown(f"--set option of {offer.implementation}/{offer.backend}", name, known)
        if known[name] and value not in known[name]:
            raise unknown(f"value of --set {name}", value, known[name])


def _refuse_idle_options(request: RunRequest, device: Device) -> None:
    """What would be ignored is an error."""
    if request.gpus and device is Device.CPU:
        raise UsageError("--gpus chooses among GPUs, but this run uses the processors", hint="add --device")
    if request.loadgen.test_query_count is not None and request.execution_mode is not ExecutionMode.TEST:
        raise UsageError(
            "--test-query-count is for test runs; a valid run takes its counts from the round",
            hint="use --execution-mode test, or --min-duration for a shorter valid run",
        )


def _benchmark(request: RunRequest) -> Benchmark:
    if request.model is not None:
        if request.model_name is not None:
            raise UsageError(
                f"--model-name '{request.model_name}' is for a model file of your own, and --model names another",
                hint="leave one of them out",
            )
        return load_benchmark(request.model)
    if request.model_path is None:
        raise UsageError(
            "no model was named", hint="--model NAME (see 'mlperf-docker models list') or --model-path FILE"
        )
    return custom_benchmark(request.model_path, request.model_name, measured_data=request.dataset_path is not None)


def custom_benchmark(path: Path, name: str | None, *, measured_data: bool) -> Benchmark:
    """A catalogue entry for a file of the user's: the generic implementation, no rules to be judged by."""
    backend = _BACKEND_OF_SUFFIX.get(path.suffix.lower())
    if backend is None:
        raise UsageError(
            f"--model-path {path}: no backend reads '{path.suffix or 'a file without suffix'}'",
            hint=f"files that can be run: {', '.join(sorted(_BACKEND_OF_SUFFIX))}",
        )
    title = name or re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", title) is None:
        raise UsageError(f"--model-name '{title}': letters, digits, dots, dashes and underscores only")
    backends = (backend, "openvino") if backend == "onnxruntime" else (backend,)
    return Benchmark(
        name=title,
        suite=Suite.CUSTOM,
        task="of the user's own",
        description=f"{path.name}, with {'the data set given' if measured_data else 'inputs made from its signature'}",
        loadgen_model=_loadgen_name(title),
        dataset="the user's" if measured_data else "generated inputs",
        rules={
            "any": BenchmarkRules(
                scenarios=_SMALL_SCENARIOS, accuracy=(), dataset_samples=64, performance_sample_count=64
            )
        },
        offers=tuple(
            Offer(
                implementation="generic",
                backend=each,
                devices=(Device.CPU,),
                image=f"generic-{each}",
                default=each == backend,
                evidence=Evidence.PROVEN,
            )
            for each in backends
        ),
    )


def _loadgen_name(title: str) -> str:
    """Dots separate model, scenario and key in LoadGen's files, blanks end a name."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in title)


def _offer(request: RunRequest, benchmark: Benchmark, round_: Round) -> Offer:
    if request.implementation is not None:
        load_implementation(request.implementation)
    wanted = {
        "implementation": request.implementation,
        "backend": request.backend,
        "device": request.device.value if request.device else None,
    }
    offers = [offer for offer in benchmark.offers if not offer.rounds or round_.name in offer.rounds]
    for what, name in wanted.items():
        if name is not None:
            fitting = [offer for offer in offers if name in _names(offer, what)]
            if not fitting:
                raise _not_offered(what, name, benchmark, offers, round_)
            offers = fitting
    if not offers:
        raise UsageError(f"nothing runs '{benchmark.name}' in round {round_.name}", hint="choose another with --round")
    return next((offer for offer in offers if offer.default), offers[0])


def _names(offer: Offer, what: str) -> tuple[str, ...]:
    one = {"implementation": offer.implementation, "backend": offer.backend}
    return (one[what],) if what in one else tuple(device.value for device in offer.devices)


def _not_offered(what: str, name: str, benchmark: Benchmark, offers: list[Offer], round_: Round) -> UsageError:
    there = sorted({each for offer in offers for each in _names(offer, what)})
    guess = nearest(name, there)
    elsewhere = sorted({each for offer in benchmark.offers if name in _names(offer, what) for each in offer.rounds})
    if elsewhere and round_.name not in elsewhere:
        return UsageError(
            f"'{benchmark.name}' has no {what} '{name}' in round {round_.name}",
            hint=f"it has it in {', '.join(elsewhere)} (--round); in {round_.name}: {', '.join(there) or 'none'}",
        )
    return UsageError(
        f"'{benchmark.name}' has no {what} '{name}'" + (f"; did you mean '{guess}'?" if guess else ""),
        hint=f"it has: {', '.join(there) or 'none'}",
    )


def _scenarios(request: RunRequest, benchmark: Benchmark, rules: BenchmarkRules) -> tuple[Scenario, ...]:
    if request.scenarios.lower() == ALL:
        required = rules.required.get(request.category) if request.category else None
        return required or rules.scenarios
    asked = _listed(request.scenarios, Scenario, "scenario")
    for scenario in asked:
        if scenario not in rules.scenarios:
            possible = ", ".join(each.value for each in rules.scenarios)
            raise UsageError(f"'{benchmark.name}' has no scenario {scenario.value}", hint=f"it has: {possible}")
    return asked


def _modes(request: RunRequest, benchmark: Benchmark) -> tuple[Mode, ...]:
    judgeable = benchmark.suite is not Suite.CUSTOM or request.dataset_path is not None
    if request.modes.lower() == ALL:
        return (Mode.PERFORMANCE, Mode.ACCURACY) if judgeable else (Mode.PERFORMANCE,)
    modes = _listed(request.modes, Mode, "mode")
    if Mode.COMPLIANCE in modes:
        raise UsageError("compliance runs are not part of this version yet", hint="use --mode performance,accuracy")
    if Mode.ACCURACY in modes and not judgeable:
        raise UsageError(
            "a model of your own with generated inputs has no accuracy",
            hint="use --mode performance, or give a prepared data set with --dataset-path",
        )
    return modes


def _division(request: RunRequest, benchmark: Benchmark) -> Division:
    if benchmark.suite is Suite.MLPERF:
        return request.division or Division.CLOSED
    if request.division is Division.CLOSED:
        raise UsageError(
            f"'{benchmark.name}' cannot be run for the closed division: it is no benchmark of any round",
            hint="leave --division out, or use --division open",
        )
    return request.division or Division.OPEN


def _listed(text: str, kind: type[E], what: str) -> tuple[E, ...]:
    """A comma list of enum values, letter case aside, without repetition."""
    by_lower = {member.value.lower(): member for member in kind}
    names: Iterable[str] = [part.strip() for part in text.split(",") if part.strip()]
    found: dict[E, None] = {}
    for name in names:
        if name.lower() not in by_lower:
            raise unknown(what, name, [*(member.value for member in kind), ALL])
        found[by_lower[name.lower()]] = None
    if not found:
        raise UsageError(f"no {what} was named", hint=f"known: {', '.join(member.value for member in kind)}, {ALL}")
    return tuple(found)
