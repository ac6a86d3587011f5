"""Call the functions of MLCommons' Qwen3-VL harness (multimodal/qwen3-vl); its command line needs a fork of a library.

qwen3_vl.py benchmark --scenario S --mode M --user-conf F --output DIR --dataset DIR --url URL --model NAME
qwen3_vl.py evaluate --log FILE --dataset DIR: prints what it writes to accuracy.txt

Works in a writable copy of the harness' `src` folder, which is put on the path.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path.cwd()))


def _arguments():  # type: ignore[no-untyped-def]
    parser = argparse.ArgumentParser()
    parts = parser.add_subparsers(dest="part", required=True)
    benchmark = parts.add_parser("benchmark")
    for name in ("scenario", "mode", "user-conf", "output", "dataset", "url", "model"):
        benchmark.add_argument(f"--{name}", required=True)
    evaluate = parts.add_parser("evaluate")
    for name in ("log", "dataset"):
        evaluate.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def _dataset(folder):  # type: ignore[no-untyped-def]
    from mlperf_inf_mm_q3vl.schema import Dataset

    return Dataset(repo_id=folder)


def _benchmark(given):  # type: ignore[no-untyped-def]
    from mlperf_inf_mm_q3vl import schema
    from mlperf_inf_mm_q3vl.benchmark import run_benchmark

    settings = schema.Settings(
        test=schema.TestSettings(scenario=given.scenario, mode=given.mode),
        user_conf=schema.UserConf(path=given.user_conf),
        logging=schema.LogSettings(log_output=schema.LogOutputSettings(outdir=given.output)),
    )
    endpoint = schema.Endpoint(
        url=given.url,
        api_key="none",
        model=schema.Model(repo_id=given.model),
        sampling_params=schema.SamplingParams(),
    )
    run_benchmark(settings=settings, dataset=_dataset(given.dataset), endpoint=endpoint, random_seed=12345)


def _evaluate(given):  # type: ignore[no-untyped-def]
    from mlperf_inf_mm_q3vl.evaluation import run_evaluation

    run_evaluation(random_seed=12345, filename=Path(given.log), dataset=_dataset(given.dataset))
    sys.stdout.write(Path("accuracy.txt").read_text(encoding="utf-8"))


if __name__ == "__main__":
    chosen = _arguments()
    _evaluate(chosen) if chosen.part == "evaluate" else _benchmark(chosen)
