"""From what the user typed to single runs: resolve names against the catalogue, expand lists. Starts nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from orchestrator.config.catalog import load_benchmark, load_implementation, load_round
from orchestrator.config.images import image_entries
from orchestrator.controller.offering import Wanted, choose_offer
from orchestrator.controller.own_model import own_model
from orchestrator.domain.benchmark import Benchmark, BenchmarkRules, Implementation, Offer, Round
from orchestrator.domain.image import ImageChoice
from orchestrator.domain.spec import Knobs, LoadGenWishes, RunSpec
from orchestrator.domain.suggest import unknown
from orchestrator.domain.terms import (
    Category,
    Device,
    Division,
    EngineName,
    ExecutionMode,
    Mode,
    Scenario,
    Suite,
    Tier,
)
from orchestrator.errors import UsageError
from orchestrator.implementations.common import check_knob

ALL = "all"
_DIMENSION = "dim."  # size of an open dimension of generated inputs: named by the model, so not in the catalogue
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
    compliance_tests: str = ALL
    privileges: Tier = Tier.MINIMAL
    sources: tuple[tuple[str, Path], ...] = ()
    sdks: tuple[tuple[str, Path], ...] = ()
    assets: tuple[tuple[str, Path], ...] = ()
    rehearse: bool = False
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
    implementation: Implementation


def choose(request: RunRequest) -> tuple[Choice, ...]:
    """All runs of a request, scenarios outermost, performance before accuracy.

    UsageError names the nearest match, or what is possible.
    """
    round_ = load_round(request.round)
    benchmark = _benchmark(request)
    rules = _rules(benchmark, round_)
    offer = _offer(request, benchmark, round_, rules)
    implementation = load_implementation(offer.implementation)
    device = request.device or offer.devices[0]
    _refuse_idle_options(request, implementation, device)
    _check_knobs(request, offer, implementation)
    scenarios = _scenarios(request, benchmark, rules, offer)
    modes = _modes(request, benchmark, rules)
    first = Choice(
        spec=_spec(request, benchmark, offer, device, round_, scenarios[0], modes[0]),
        benchmark=benchmark,
        rules=rules,
        offer=offer,
        round=round_,
        implementation=implementation,
    )
    return tuple(
        replace(first, spec=replace(first.spec, scenario=scenario, mode=mode, compliance_test=test))
        for scenario in scenarios
        for mode in modes
        for test in (_compliance(request, benchmark, rules) if mode is Mode.COMPLIANCE else (None,))
    )


def _rules(benchmark: Benchmark, round_: Round) -> BenchmarkRules:
    rules = benchmark.rules_of(round_.name)
    if rules is None:
        raise UsageError(
            f"'{benchmark.name}' is not part of round {round_.name}",
            hint=f"its rounds: {', '.join(sorted(benchmark.rules))}; choose one with --round",
        )
    return rules


def _offer(request: RunRequest, benchmark: Benchmark, round_: Round, rules: BenchmarkRules) -> Offer:
    if request.implementation is not None:
        load_implementation(request.implementation)  # a name that there is not is told before anything else
    asked = Wanted(
        implementation=request.implementation,
        backend=request.backend,
        device=request.device,
        scenarios=() if request.scenarios.lower() == ALL else _listed(request.scenarios, Scenario, "scenario"),
    )
    return choose_offer(asked, benchmark, round_, rules)


def _spec(  # noqa: PLR0917
    request: RunRequest,
    benchmark: Benchmark,
    offer: Offer,
    device: Device,
    round_: Round,
    scenario: Scenario,
    mode: Mode,
) -> RunSpec:
    """One run of the request: what it says, and the catalogue where it says nothing."""
    return RunSpec(
        model=benchmark.name,
        implementation=offer.implementation,
        backend=offer.backend,
        device=device,
        scenario=scenario,
        mode=mode,
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
        model_path=_absolute(request.model_path),
        dataset_path=_absolute(request.dataset_path),
        model_name=request.model_name if benchmark.suite is Suite.MLPERF else None,
        privileges=request.privileges,
        sources=request.sources,
        sdks=request.sdks,
        assets=tuple((name, path.absolute()) for name, path in request.assets),
        rehearse=request.rehearse,
        gpus=request.gpus,
        run_prefix=request.run_prefix,
        memory_bytes=request.memory_bytes,
        timeout_s=request.timeout_s,
    )


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _check_knobs(request: RunRequest, offer: Offer, implementation: Implementation) -> None:
    """Names and values of `--set` that this backend does not know are told before anything starts."""
    known = {**implementation.knobs.get("any", {}), **implementation.knobs.get(offer.backend, {})}
    for name, value in request.knobs.extra:
        if name.startswith(_DIMENSION):
            continue
        if name not in known:
            raise unknown(f"--set option of {offer.implementation}/{offer.backend}", name, known)
        check_knob(name, known[name], value)


def _refuse_idle_options(request: RunRequest, implementation: Implementation, device: Device) -> None:
    """What would be ignored is an error."""
    if request.gpus and device is Device.CPU:
        raise UsageError(
            "--gpus chooses among GPUs, but this run uses the processors",
            hint="say with --device whose GPUs, or leave --gpus out",
        )
    if request.loadgen.test_query_count is not None and request.execution_mode is not ExecutionMode.TEST:
        raise UsageError(
            "--test-query-count is for test runs; a valid run takes its counts from the round",
            hint="use --execution-mode test, or --min-duration for a shorter valid run",
        )
    for option, given, known in (
        ("--source", request.sources, implementation.sources),
        ("--sdk", request.sdks, tuple(implementation.sdks)),
    ):
        for name, _ in given:
            if name not in known:
                raise unknown(f"{option} of implementation '{implementation.name}'", name, known)
    if request.rehearse and f"rehearsal-{implementation.name}" not in image_entries():
        raise UsageError(
            f"there is no stand-in to rehearse '{implementation.name}' against",
            hint="it needs none, or nobody has written one: leave --rehearse out",
        )


def _benchmark(request: RunRequest) -> Benchmark:
    if request.model is not None:
        if request.model_name is not None and request.model_path is None:
            raise UsageError(
                f"--model-name '{request.model_name}' is for a model file of your own, and --model names another",
                hint="leave one of them out, or give your file with --model-path",
            )
        found = load_benchmark(request.model)
        if request.model_name is not None and found.suite is not Suite.MLPERF:
            raise UsageError(
                f"'{found.name}' is no benchmark of a round, so your model needs no name within it",
                hint="leave --model-name out, or leave --model out to run the file by itself",
            )
        return found
    if request.model_path is None:
        raise UsageError(
            "no model was named", hint="--model NAME (see 'mlperf-docker models list') or --model-path FILE"
        )
    return own_model(request.model_path, request.model_name, measured_data=request.dataset_path is not None)


def _scenarios(request: RunRequest, benchmark: Benchmark, rules: BenchmarkRules, offer: Offer) -> tuple[Scenario, ...]:
    possible = tuple(each for each in rules.scenarios if not offer.scenarios or each in offer.scenarios)
    if request.scenarios.lower() == ALL:
        required = rules.required.get(request.category) if request.category else None
        return required or possible
    asked = _listed(request.scenarios, Scenario, "scenario")
    for scenario in asked:
        if scenario not in possible:
            raise UsageError(
                f"'{benchmark.name}' has no scenario {scenario.value}",
                hint=f"it has: {', '.join(each.value for each in possible)}",
            )
    return asked


def _modes(request: RunRequest, benchmark: Benchmark, rules: BenchmarkRules) -> tuple[Mode, ...]:
    judgeable = benchmark.suite is not Suite.CUSTOM or request.dataset_path is not None
    if request.modes.lower() == ALL:
        return (Mode.PERFORMANCE, Mode.ACCURACY) if judgeable else (Mode.PERFORMANCE,)
    modes = _listed(request.modes, Mode, "mode")
    if Mode.ACCURACY in modes and not judgeable:
        raise UsageError(
            "a model of your own with generated inputs has no accuracy",
            hint="use --mode performance, or give a prepared data set with --dataset-path",
        )
    if Mode.COMPLIANCE in modes:
        _compliance(request, benchmark, rules)
    return modes


def _compliance(request: RunRequest, benchmark: Benchmark, rules: BenchmarkRules) -> tuple[str, ...]:
    """The compliance tests that are asked for, of those the round wants of this model."""
    if not rules.compliance:
        raise UsageError(f"no round wants a compliance test of '{benchmark.name}'", hint="leave mode compliance out")
    if request.compliance_tests.lower() == ALL:
        return rules.compliance
    asked = tuple(part.strip().upper() for part in request.compliance_tests.split(",") if part.strip())
    for test in asked:
        if test not in rules.compliance:
            raise unknown(f"compliance test of '{benchmark.name}' in this round", test, rules.compliance)
    return asked


def _division(request: RunRequest, benchmark: Benchmark) -> Division:
    if benchmark.suite is Suite.MLPERF and request.model_path is not None and request.model_name is not None:
        if request.division is Division.CLOSED:
            raise UsageError(
                f"your own model '{request.model_name}' cannot be run for the closed division",
                hint="leave --division out, or use --division open",
            )
        return request.division or Division.OPEN
    if benchmark.suite is Suite.MLPERF and not benchmark.open_only:
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
