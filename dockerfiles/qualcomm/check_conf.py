"""Build step: fail unless KILT's mlperf.conf has the seeds of the round. Usage: check_conf.py SEEDS.json MLPERF.conf"""

import json
import sys
from pathlib import Path

expected = json.loads(Path(sys.argv[1]).read_text())
found = {}
for line in Path(sys.argv[2]).read_text().splitlines():
    key, sign, value = (part.strip() for part in line.partition("="))
    if sign and key.startswith("*.*.") and key[4:] in expected:
        found[key[4:]] = int(value)
if found != expected:
    sys.exit(f"error: the seeds of mlperf.conf are not the round's\n  expected {expected}\n  found    {found}")
