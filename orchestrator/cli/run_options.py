"""The options of `run`, by panel. Types and help texts only."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

_what = partial(typer.Option, rich_help_panel="What to measure")
_how = partial(typer.Option, rich_help_panel="How LoadGen is set")
_where = partial(typer.Option, rich_help_panel="Where and with what")
_yours = partial(typer.Option, rich_help_panel="Your own copies")
_result = partial(typer.Option, rich_help_panel="Results and behaviour")

Model = Annotated[str | None, _what(help="A catalogue model ('mlperf-docker models list').")]
Implementation = Annotated[str | None, _what(help="Whose harness; default: the catalogue's for model and device.")]
Backend = Annotated[str | None, _what(help="Runtime: onnxruntime, tflite, openvino, …")]
Device = Annotated[str | None, _what(help="cpu, cuda, rocm, qaic, xpu, hpu.")]
Scenario = Annotated[str, _what(help="Offline, Server, SingleStream, MultiStream; a comma list, or all.")]
Mode = Annotated[str, _what(help="performance, accuracy, compliance; a comma list, or all (the first two).")]
ComplianceTest = Annotated[
    str, _what(help="With --mode compliance: TEST01, TEST04, …; a comma list, or all that the round wants.")
]
ExecutionMode = Annotated[str, _what(help="test (short, never submittable) or valid (the round's durations, judged).")]
Round = Annotated[str | None, _what("--round", help="MLPerf Inference round, for example v6.1.")]
Category = Annotated[str | None, _what(help="datacenter or edge.")]
Division = Annotated[str | None, _what(help="closed, open or network.")]
TargetQps = Annotated[float | None, _how(help="Samples (Server: queries) per second; default: fitted by an estimate.")]
TargetLatency = Annotated[float | None, _how(help="Milliseconds.")]
MinDuration = Annotated[int | None, _how(help="Milliseconds; shorter than the round's is never submittable.")]
TestQueryCount = Annotated[int | None, _how(help="Queries (Offline: samples) of a test run.")]
UserConf = Annotated[Path | None, _how(help="A user.conf of your own; single options win over it.")]
Threads = Annotated[int | None, _how(help="Threads of the runtime; default: the usable processors.")]
BatchSize = Annotated[int | None, _how(help="Samples per batch in Offline.")]
Set = Annotated[
    list[str] | None, _how("--set", metavar="KEY=VALUE", help="A knob of the implementation: workers, queue_depth, …")
]
Engine = Annotated[str | None, _where(help="docker; native only when asked for.")]
Image = Annotated[str | None, _where(help="Image to use instead of the catalogue's.")]
Pull = Annotated[str, _where(help="missing, always, never, or only: prebuilt images, never a build.")]
Registry = Annotated[str | None, _where(help="Where prebuilt images are: HOST:PORT/PATH.")]
Mirror = Annotated[list[str] | None, _where(metavar="HOST=HOST", help="Ask another registry for base images.")]
Rebuild = Annotated[bool, _where(help="Build the image even if it is there.")]
BaseImage = Annotated[str | None, _where(help="Base to build on.")]
Gpus = Annotated[str | None, _where(help="all, or a comma list of indices or UUIDs.")]
Memory = Annotated[str | None, _where(help="Memory limit of the container, for example 8g.")]
Timeout = Annotated[float | None, _where(help="Seconds after which one LoadGen process is stopped.")]
Privileges = Annotated[str, _where(help="minimal, or vendor: what the vendor's own script asks; shown before use.")]
Rehearse = Annotated[
    bool,
    _where("--rehearse", help="Drive our stand-in for the vendor's image, without its devices."),
]
CaBundle = Annotated[Path | None, _where(help="Certificates for builds and downloads, beside the host's.")]
Proxy = Annotated[str | None, _where(help="Proxy for builds and downloads.")]
ModelPath = Annotated[Path | None, _yours(help="Your model file; always wins, mounted read-only, recorded by hash.")]
DatasetPath = Annotated[Path | None, _yours(help="Your prepared data set; always wins.")]
ModelName = Annotated[str | None, _yours(help="Name for --model-path in results.")]
Asset = Annotated[
    list[str] | None, _yours("--asset", metavar="NAME=PATH", help="Your copy of a catalogue asset, by its name.")
]
Source = Annotated[
    list[str] | None, _yours("--source", metavar="NAME=DIR", help="A local clone to build from, DIR or DIR@REVISION.")
]
Sdk = Annotated[list[str] | None, _yours("--sdk", metavar="NAME=FILE", help="An SDK archive that only you can bring.")]
Catalog = Annotated[
    list[Path] | None,
    _yours("--catalog", help="A folder with models, implementations and images of your own; before the shipped ones."),
]
System = Annotated[str | None, _result(help="Name of the system description.")]
Submitter = Annotated[str | None, _result(help="Name of the organisation.")]
ResultsDir = Annotated[Path | None, _result(help="Default ./mlperf-results.")]
RunPrefix = Annotated[str | None, _result(help="Put a program before the harness ('gdb --args'); never submittable.")]
Debug = Annotated[bool, _result("--debug", help="Open a shell in the prepared container instead of measuring.")]
Resume = Annotated[bool, _result("--resume", help="Continue the newest interrupted set of the same runs.")]
DryRun = Annotated[bool, _result("--dry-run", help="Show the plan; no side effect.")]
CheckAccess = Annotated[
    bool, _result("--check-access", help="With --dry-run: ask whether gated assets may be fetched, as real runs do.")
]
Json = Annotated[bool, _result("--json", help="One JSON document on stdout.")]
Quiet = Annotated[bool, _result("-q", "--quiet", help="No progress.")]
Verbose = Annotated[bool, _result("-v", "--verbose", help="Every phase.")]
