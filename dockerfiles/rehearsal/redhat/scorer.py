"""Stands in for the official scorers in a rehearsal: their options, the shape of their line, fixed figures."""

import json
from pathlib import Path

import arguments
import refusals

# As upstream prints them with numpy 2, which our score.sh has to put right.
_LINES = {
    "evaluation.py": "{'rouge1': '38.7792', 'rouge2': '15.9075', 'rougeL': '24.4957', 'rougeLsum': '35.793', "
    "'gen_len': np.int64(8167644), 'gen_num': 13368}",
    "evaluate-accuracy.py": "{'rouge1': '44.4312', 'rouge2': '22.0352', 'rougeL': '28.6162', "
    "'gen_len': np.int64(28124112), 'gen_num': 24576, 'tokens_per_sample': 294.4}",
}


def main(name: str, words: "list[str]") -> None:
    """Score LoadGen's accuracy log: every sample must be there once, as tokens of the type that is named."""
    found = arguments.read(name, words)
    arguments.say(name)
    arguments.must_exist(name, "the data set", found["--dataset-file"])
    log = json.loads(Path(found["--mlperf-accuracy-file"]).read_text())
    if len({entry["qsl_idx"] for entry in log}) != len(log) or not log:
        refusals.refuse(f"{name}: {len(log)} answers, not one for each sample")
    print(f"\nResults\n\n{_LINES[name]}")
