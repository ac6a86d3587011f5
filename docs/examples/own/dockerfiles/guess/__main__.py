"""Run LoadGen once and answer every sample with the same class."""

import argparse
import array
import sys

import mlperf_loadgen as lg


def main() -> int:
    """The harness; 0 when LoadGen ran to its end."""
    options = _options()
    settings = lg.TestSettings()
    settings.scenario = getattr(lg.TestScenario, options.scenario)
    accuracy = options.mode == "accuracy"
    settings.mode = lg.TestMode.AccuracyOnly if accuracy else lg.TestMode.PerformanceOnly
    if settings.FromConfig(options.user_conf, options.model_name, options.scenario) not in {0, None}:
        print(f"error: {options.user_conf}: LoadGen refuses it", file=sys.stderr)
        return 2
    answer = array.array("i", [options.answer])
    address, length = answer.buffer_info()

    def issue(samples: list) -> None:
        lg.QuerySamplesComplete(
            [lg.QuerySampleResponse(sample.id, address, length * answer.itemsize) for sample in samples]
        )

    sut = lg.ConstructSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(options.samples, options.samples, lambda _: None, lambda _: None)
    logs = lg.LogSettings()
    logs.enable_trace = False
    logs.log_output.outdir = options.out
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, "audit.config")
    lg.DestroyQSL(qsl)
    lg.DestroySUT(sut)
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for name in ("--scenario", "--mode", "--model-name", "--user-conf", "--out"):
        parser.add_argument(name, required=True)
    parser.add_argument("--samples", type=int, required=True)
    parser.add_argument("--answer", type=int, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
