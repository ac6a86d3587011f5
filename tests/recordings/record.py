"""Record LoadGen's own logs with a null SUT, for the tests. Run by hand, where one LoadGen wheel is installed.

    python record.py CASE OUTPUT_FOLDER      (CASE: a key of CASES)

The SUT answers each sample at once with one int32 (its index), or as the case says. Not imported by any test.
"""

from __future__ import annotations

import array
import os
import signal
import sys
import threading
import time
from pathlib import Path

import mlperf_loadgen as lg

SCENARIOS = {
    "offline": lg.TestScenario.Offline,
    "server": lg.TestScenario.Server,
    "singlestream": lg.TestScenario.SingleStream,
    "multistream": lg.TestScenario.MultiStream,
}
SAMPLES = 20
BASE = {"*.*.min_duration": 50, "*.*.performance_sample_count_override": SAMPLES}
SHORT = {
    "offline": {"*.Offline.min_query_count": 100, "*.Offline.target_qps": 2000},
    "server": {"*.Server.min_query_count": 800, "*.Server.target_qps": 4000, "*.Server.target_latency": 50},
    "singlestream": {"*.SingleStream.min_query_count": 70, "*.SingleStream.target_latency": 0.5},
    "multistream": {"*.MultiStream.min_query_count": 662, "*.MultiStream.target_latency": 0.1},
}
TOKENS = {"*.*.use_token_latencies": 1, "*.*.ttft_latency": 100}
N_TOKENS = 4
# case: settings on top, delay of each answer in ms, what else happens
CASES: dict[str, tuple[dict[str, float], float, str]] = {
    "valid": ({}, 1.0, ""),
    "tooshort": ({"*.*.min_duration": 1000}, 0.0, ""),
    "latency": ({"*.Server.target_latency": 1, "*.Server.target_qps": 2000, "*.Server.min_query_count": 300}, 5.0, ""),
    "earlystopping": ({"*.*.min_query_count": 40, "*.*.min_duration": 1}, 0.2, ""),
    "toofew": ({"*.*.max_query_count": 20}, 0.2, ""),
    "twoconfigs": ({}, 1.0, "second FromConfig"),
    "killed": ({"*.*.min_duration": 60000}, 50.0, "kill -9 after 0.4 s"),
    "tokens": ({**TOKENS, "*.*.tpot_latency": 50}, 1.0, "tokens"),
    "tokensslow": (
        {**TOKENS, "*.*.tpot_latency": 1, "*.Server.target_qps": 100, "*.Server.min_query_count": 300},
        6.0,
        "tokens",
    ),
}


def main(name: str, folder: Path) -> None:
    """Record one case: `<scenario>-<performance|accuracy>-<case>`."""
    scenario, mode, case = name.split("-")
    overlay, delay_ms, event = CASES[case]
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {**BASE, **SHORT[scenario]}
    for key, value in overlay.items():
        wanted = {old: number for old, number in wanted.items() if old.split(".")[2] != key.split(".")[2]}
        wanted[key] = value
    conf = folder / "user.conf"
    conf.write_text("".join(f"{key} = {value}\n" for key, value in wanted.items()))
    settings = lg.TestSettings()
    settings.scenario = SCENARIOS[scenario]
    settings.mode = lg.TestMode.PerformanceOnly if mode == "performance" else lg.TestMode.AccuracyOnly
    spelled = str(settings.scenario).rpartition(".")[2]
    for _ in range(2 if event.startswith("second") else 1):
        if settings.FromConfig(str(conf), "null", spelled) != 0:
            raise SystemExit("user.conf refused")
    if scenario == "offline":
        delay_ms *= 80  # the one query has to outlast min_duration
    elif scenario == "server" and case in {"valid", "tokens"}:
        delay_ms = 0.0  # answers come from the issuing thread, which must not be held up
    run(settings, folder, delay_ms, kill=event.startswith("kill"), tokens=event == "tokens")


def run(settings: lg.TestSettings, folder: Path, delay_ms: float, *, kill: bool, tokens: bool) -> None:
    """One StartTest; `kill` ends this process from a second one, as the OOM killer would.

    `tokens`: each answer is one first token and, after the delay, three more.
    """

    def issue(queries: list[lg.QuerySample]) -> None:
        answers = [(query.id, array.array("i", [query.index])) for query in queries]
        if tokens and settings.scenario != lg.TestScenario.Offline:
            lg.FirstTokenComplete(responses(answers))
        time.sleep(delay_ms / 1e3)
        lg.QuerySamplesComplete(responses(answers, *((N_TOKENS,) if tokens else ())))

    sut = lg.ConstructSUT(issue, lambda: None)
    qsl = lg.ConstructQSL(SAMPLES, SAMPLES, lambda _: None, lambda _: None)
    logs = lg.LogSettings()
    logs.enable_trace = False
    logs.log_output.outdir = str(folder)
    logs.log_output.copy_summary_to_stdout = False
    if kill:
        threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGKILL)).start()
    lg.StartTestWithLogSettings(sut, qsl, settings, logs, "")
    lg.DestroyQSL(qsl)
    lg.DestroySUT(sut)


def responses(answers: list[tuple[int, array.array[int]]], *n_tokens: int) -> list[lg.QuerySampleResponse]:
    """LoadGen's form of them; the arrays must outlive the call that takes it."""
    return [
        lg.QuerySampleResponse(query_id, answer.buffer_info()[0], len(answer) * answer.itemsize, *n_tokens)
        for query_id, answer in answers
    ]


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
