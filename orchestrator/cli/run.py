"""`mlperf-docker run`: flags to a request, the set's outcome to a table or JSON."""

from __future__ import annotations

from pathlib import Path

import typer

from orchestrator.cli import run_options as opt
from orchestrator.domain.image import ImageChoice, ImageRef
from orchestrator.domain.spec import Knobs, LoadGenWishes
from orchestrator.domain.terms import Category, Device, Division, EngineName, ExecutionMode, Pull, Tier
from orchestrator.errors import UsageError

app = typer.Typer(add_completion=False, rich_markup_mode="rich")


@app.command()
def run(  # noqa: PLR0917
    model: opt.Model = None,
    implementation: opt.Implementation = None,
    backend: opt.Backend = None,
    device: opt.Device = None,
    scenario: opt.Scenario = "Offline",
    mode: opt.Mode = "all",
    compliance_test: opt.ComplianceTest = "all",
    execution_mode: opt.ExecutionMode = "test",
    round_: opt.Round = None,
    category: opt.Category = None,
    division: opt.Division = None,
    target_qps: opt.TargetQps = None,
    target_latency: opt.TargetLatency = None,
    min_duration: opt.MinDuration = None,
    test_query_count: opt.TestQueryCount = None,
    user_conf: opt.UserConf = None,
    threads: opt.Threads = None,
    batch_size: opt.BatchSize = None,
    set_: opt.Set = None,
    engine: opt.Engine = None,
    image: opt.Image = None,
    pull: opt.Pull = "missing",
    registry: opt.Registry = None,
    mirror: opt.Mirror = None,
    rebuild: opt.Rebuild = False,
    base_image: opt.BaseImage = None,
    gpus: opt.Gpus = None,
    privileges: opt.Privileges = "minimal",
    rehearse: opt.Rehearse = False,
    memory: opt.Memory = None,
    timeout: opt.Timeout = None,
    ca_bundle: opt.CaBundle = None,
    proxy: opt.Proxy = None,
    model_path: opt.ModelPath = None,
    dataset_path: opt.DatasetPath = None,
    model_name: opt.ModelName = None,
    asset: opt.Asset = None,
    source: opt.Source = None,
    sdk: opt.Sdk = None,
    catalog: opt.Catalog = None,
    system: opt.System = None,
    submitter: opt.Submitter = None,
    results_dir: opt.ResultsDir = None,
    run_prefix: opt.RunPrefix = None,
    debug: opt.Debug = False,
    resume: opt.Resume = False,
    dry_run: opt.DryRun = False,
    check_access: opt.CheckAccess = False,
    json_: opt.Json = False,
    quiet: opt.Quiet = False,
    verbose: opt.Verbose = False,
) -> int:
    """Measure a model: image, assets, LoadGen settings, run, collect, judge, show.

    A first run:  mlperf-docker run --model resnet8-cifar10
    """
    from orchestrator.cli import options
    from orchestrator.controller.request import RunRequest

    options.use_catalogue(catalog)
    flags = {
        "round": round_,
        "engine": engine,
        "system": system,
        "submitter": submitter,
        "results_dir": str(results_dir) if results_dir else None,
        "ca_bundle": str(ca_bundle) if options.readable(ca_bundle, "--ca-bundle") else None,
        "http_proxy": options.proxy(proxy),
        "https_proxy": proxy,
        **options.registries(registry, mirror),
    }
    settings = options.settings(flags)
    request = RunRequest(
        model=model,
        implementation=implementation,
        backend=backend,
        device=_device(device),
        scenarios=scenario,
        modes=mode,
        execution_mode=options.one_of(ExecutionMode, execution_mode, "execution mode") or ExecutionMode.TEST,
        round=settings.round,
        division=options.one_of(Division, division, "division"),
        category=options.one_of(Category, category, "category"),
        system=settings.system or "this-machine",
        submitter=settings.submitter or "unnamed",
        engine=settings.engine or EngineName.DOCKER,
        loadgen=LoadGenWishes(
            target_qps=options.positive(target_qps, "--target-qps"),
            target_latency_ms=options.positive(target_latency, "--target-latency"),
            min_duration_ms=options.whole(min_duration, "--min-duration", at_least=0),
            test_query_count=options.whole(test_query_count, "--test-query-count"),
            user_conf=_user_conf(user_conf),
        ),
        knobs=Knobs(
            threads=options.whole(threads, "--threads"),
            batch_size=options.whole(batch_size, "--batch-size"),
            extra=options.pairs(set_ or [], "--set"),
        ),
        image=ImageChoice(
            reference=ImageRef.parse(image) if image is not None else None,
            pull=options.one_of(Pull, pull, "pull policy") or Pull.MISSING,
            rebuild=rebuild,
            base=ImageRef.parse(base_image) if base_image is not None else None,
        ),
        model_path=options.readable(model_path, "--model-path"),
        dataset_path=options.readable(dataset_path, "--dataset-path"),
        model_name=model_name,
        compliance_tests=compliance_test,
        privileges=options.one_of(Tier, privileges, "tier of privileges") or Tier.MINIMAL,
        sources=options.paths(source or [], "--source", revisions=True),
        sdks=options.paths(sdk or [], "--sdk"),
        assets=options.known_assets(options.paths(asset or [], "--asset")),
        rehearse=rehearse,
        gpus=tuple(part.strip() for part in gpus.split(",") if part.strip()) if gpus else (),
        run_prefix=options.words(run_prefix, "--run-prefix"),
        memory_bytes=options.size_bytes(memory, "--memory"),
        timeout_s=options.positive(timeout, "--timeout"),
        debug=debug,
    )
    from orchestrator.cli.run_output import DryRun, carry_out

    show = DryRun(check_access=check_access) if dry_run else None
    return carry_out(request, settings, resume=resume, dry_run=show, as_json=json_, quiet=quiet, verbose=verbose)


def _device(text: str | None) -> Device | None:
    from orchestrator.cli import options

    if text is not None and text.lower() in {"gpu", "gpus"}:
        raise UsageError(
            f"--device {text}: whose?", hint="cuda (NVIDIA), rocm (AMD), xpu (Intel); hpu and qaic are accelerators too"
        )
    return options.one_of(Device, text, "device")


def _user_conf(path: Path | None) -> str | None:
    if path is None:
        return None
    from orchestrator.loadgen.user_conf import parse_user_conf

    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--user-conf {path}: cannot be read: {reason}") from error
    parse_user_conf(text, str(path))
    return text
