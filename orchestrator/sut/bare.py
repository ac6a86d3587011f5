"""`python -m orchestrator.sut.bare HARNESS_JSON --seconds S --json`: the runtime in a loop, without LoadGen.

The yardstick for the harness: same model, samples, threads and batch, no queries, no gathering, no answers.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path

from orchestrator.sut.__main__ import prepare_process
from orchestrator.sut.config import Scenario, read_harness
from orchestrator.sut.faults import FAILED, SutError, say


def main(arguments: list[str]) -> int:
    """Print samples/s and the 90th percentile of one call's latency; exit status as the harness's."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.sut.bare")
    parser.add_argument("harness", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    try:
        prepare_process()
        result = loop(options.harness, options.seconds)
    except SutError as error:
        say(error)
        return error.exit_code
    except Exception as error:
        say(error)
        return FAILED
    if options.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name} {value}" for name, value in result.items()))
    return 0


def loop(path: Path, seconds: float) -> dict[str, object]:
    """Run every lane's runner for some seconds over batches of neighbouring samples."""
    import numpy as np

    from orchestrator.sut.model import ready
    from orchestrator.sut.store import Store

    harness = read_harness(path)
    model = ready(harness)
    store = Store(model.dataset, model.batch)
    samples = min(harness.performance_sample_count, model.dataset.samples)
    store.load(range(samples))
    batch = 1 if harness.scenario is Scenario.SINGLE_STREAM else model.batch
    feeds = [store.neighbours(start, start + batch)[0] for start in range(0, samples, batch)]
    latencies: list[list[int]] = [[] for _ in model.runners]
    start = time.perf_counter_ns()
    end = start + int(seconds * 1e9)

    def run(lane: int) -> None:
        runner, mine, clock = model.runners[lane], latencies[lane], time.perf_counter_ns
        before = clock()
        turn = 0
        while before < end:
            runner(feeds[turn % len(feeds)])
            after = clock()
            mine.append(after - before)
            before = after
            turn += 1

    threads = [threading.Thread(target=run, args=(lane,)) for lane in range(1, len(model.runners))]
    for thread in threads:
        thread.start()
    run(0)
    for thread in threads:
        thread.join()
    elapsed_s = (time.perf_counter_ns() - start) / 1e9
    calls = np.concatenate([np.array(mine, np.int64) for mine in latencies])
    return {
        "schema_version": 1,
        "scenario": harness.scenario.value,
        "batch": batch,
        "samples": len(calls) * batch,
        "seconds": elapsed_s,
        "samples_per_s": len(calls) * batch / elapsed_s,
        "p90_ns": int(np.percentile(calls, 90)),
        "mean_ns": int(calls.mean()),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
